"""A test CA and a server certificate for loopback, made by the JDK's keytool."""

from pathlib import Path

from state import installation, run, tool

PASSWORD = "loopback"


def install():
    """The folder with `ca.pem` and `http.p12` (key and certificate for 127.0.0.1 and localhost)."""
    return installation("certificate", [Path(__file__)], build)


def build(folder):
    key = ["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "3650"]
    names = "san=ip:127.0.0.1,dns:localhost"
    keytool(
        folder,
        "ca.p12",
        *key,
        "-alias",
        "ca",
        "-dname",
        "CN=trailship test CA",
        "-ext",
        "bc:critical=ca:true",
        "-ext",
        "ku:critical=keyCertSign",
    )
    keytool(folder, "ca.p12", "-exportcert", "-rfc", "-alias", "ca", "-file", "ca.pem")
    keytool(folder, "http.p12", *key, "-alias", "http", "-dname", "CN=localhost", "-ext", names)
    keytool(folder, "http.p12", "-certreq", "-alias", "http", "-file", "http.csr")
    keytool(
        folder,
        "ca.p12",
        "-gencert",
        "-rfc",
        "-alias",
        "ca",
        "-validity",
        "3650",
        "-infile",
        "http.csr",
        "-outfile",
        "http.pem",
        "-ext",
        names,
    )
    keytool(folder, "http.p12", "-importcert", "-noprompt", "-alias", "ca", "-file", "ca.pem")
    keytool(folder, "http.p12", "-importcert", "-noprompt", "-alias", "http", "-file", "http.pem")


def keytool(folder, store, *arguments):
    program = tool("keytool", "a JDK (17 or newer) is needed")
    run([program, "-J-XX:TieredStopAtLevel=1", "-storetype", "PKCS12", "-keystore", store, "-storepass", PASSWORD, *arguments], cwd=folder)
