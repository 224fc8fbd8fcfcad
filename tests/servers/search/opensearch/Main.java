import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.http.HttpServerTransport;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;

/**
 * Runs one OpenSearch node: Main HOME DATA. DATA/ready holds the HTTP port once it answers and a manager is elected;
 * ends when standard input ends.
 */
public class Main {
    public static void main(String[] args) throws Exception {
        Path data = Path.of(args[1]);
        endWithInput();
        Settings settings = Settings.builder().put("path.home", args[0]).build();
        Environment env = InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), data.resolve("config"), () -> "search-1");
        LogConfigurator.setNodeName("search-1");
        LogConfigurator.configure(env);
        Node node = new Node(env);
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
