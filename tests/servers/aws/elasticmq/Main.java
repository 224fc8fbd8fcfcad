import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;

/** Runs ElasticMQ: Main PORT DATA. Port 0 is any free one; DATA/ready holds the port once it answers; ends when standard input ends. */
public class Main {
    public static void main(String[] args) throws Exception {
        Thread watch = new Thread(() -> {
            try { while (System.in.read() >= 0) { } } catch (IOException e) { /* ended, too */ }
            Runtime.getRuntime().halt(0);
        });
        watch.setDaemon(true);
        watch.start();
        int port = Integer.parseInt(args[0]);
        if (port == 0) {
            try (ServerSocket free = new ServerSocket(0)) { port = free.getLocalPort(); }
        }
        System.setProperty("node-address.port", Integer.toString(port));
        System.setProperty("rest-sqs.bind-port", Integer.toString(port));
        Thread server = new Thread(() -> org.elasticmq.server.Main.main(new String[0]));
        server.start();
        while (!answers(port)) Thread.sleep(50);
        Files.writeString(Path.of(args[1], "ready"), port + "\n");
        server.join();
    }

    private static boolean answers(int port) {
        try (Socket socket = new Socket("127.0.0.1", port)) {
            return true;
        } catch (IOException e) {
            return false;
        }
    }
}
