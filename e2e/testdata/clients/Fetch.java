import java.io.IOException;
import java.net.Authenticator;
import java.net.HttpURLConnection;
import java.net.PasswordAuthentication;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Base64;

/** Fetches a URL in Java and prints the body: Fetch.java LIBRARY URL [USER PASSWORD]. */
class Fetch {
    public static void main(String[] args) throws Exception {
        URI address = URI.create(args[1]);
        String user = args.length > 2 ? args[2] : null;
        String password = args.length > 2 ? args[3] : null;
        switch (args[0]) {
            case "authenticator" -> {
                HttpClient.Builder client = HttpClient.newBuilder();
                if (user != null) {
                    client.authenticator(authenticator(user, password));
                }
                print(client.build(), HttpRequest.newBuilder(address));
            }
            case "header" -> {
                HttpRequest.Builder request = HttpRequest.newBuilder(address);
                if (user != null) {
                    byte[] pair = (user + ":" + password).getBytes();
                    request.header("Authorization", "Basic " + Base64.getEncoder().encodeToString(pair));
                }
                print(HttpClient.newHttpClient(), request);
            }
            case "connection" -> {
                if (user != null) {
                    Authenticator.setDefault(authenticator(user, password));
                }
                HttpURLConnection connection = (HttpURLConnection) address.toURL().openConnection();
                System.out.println(new String(connection.getInputStream().readAllBytes()));
            }
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static Authenticator authenticator(String user, String password) {
        return new Authenticator() {
            @Override
            protected PasswordAuthentication getPasswordAuthentication() {
                return new PasswordAuthentication(user, password.toCharArray());
            }
        };
    }

    private static void print(HttpClient client, HttpRequest.Builder request) throws Exception {
        HttpResponse<String> response = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() != 200) {
            throw new IOException("status " + response.statusCode());
        }
        System.out.println(response.body());
    }
}
