import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.KeyStoreWrapper;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.http.HttpServerTransport;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;

/**
 * Runs one Elasticsearch node: Main HOME DATA. DATA/ready holds the HTTP port once it answers and a master is elected;
 * ends when standard input ends. User elastic has the PASSWORD of the environment, config/http.p12 its KEYSTORE_PASSWORD.
 */
public class Main {
    public static void main(String[] args) throws Exception {
        Path data = Path.of(args[1]);
        endWithInput();
        LogConfigurator.configureESLogging();
        Settings.Builder settings = Settings.builder().put("path.home", args[0]);
        String password = System.getenv("PASSWORD");
        if (password != null) {
            KeyStoreWrapper secrets = KeyStoreWrapper.create();
            secrets.setString("bootstrap.password", password.toCharArray());
            String keystorePassword = System.getenv("KEYSTORE_PASSWORD");
            if (keystorePassword != null) {
                secrets.setString("xpack.security.http.ssl.keystore.secure_password", keystorePassword.toCharArray());
            }
            settings.setSecureSettings(secrets);
        }
        Environment env = InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), data.resolve("config"), () -> "search-1");
        LogConfigurator.setNodeName("search-1");
        LogConfigurator.configure(env, true);
        Node node = new Node(env, Plugins.loader(env));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try { node.close(); } catch (Exception e) { e.printStackTrace(); }
        }));
        node.start();
        int port = node.injector().getInstance(HttpServerTransport.class).boundAddress().publishAddress().getPort();
        Files.writeString(data.resolve("ready"), port + "\n");
        Thread.currentThread().join();
    }

    private static void endWithInput() {
        Thread watch = new Thread(() -> {
            try { while (System.in.read() >= 0) { } } catch (IOException e) { /* ended, too */ }
            System.exit(0);
        });
        watch.setDaemon(true);
        watch.start();
    }
}
