"""The four search servers: how each is configured and started."""

import base64
import platform
import shutil
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path

from process import Kind
from search import certificate
from search.home import Home
from state import Failed

HERE = Path(__file__).resolve().parent
ENGINES = ("opensearch", "elasticsearch", "opensearch3", "elasticsearch9")
SETTLE_TRIES = 300


class Search(Kind):
    """One node of one engine. `settings` are `key=value` lines of its YAML."""

    def __init__(self, engine, settings, heap, password, tls):
        self.engine, self.heap, self.password, self.tls = engine, heap, password, tls
        self.product = engine.rstrip("0123456789")
        self.home = Home(engine, self.product)
        self.settings = dict(setting.split("=", 1) for setting in settings if "=" in setting)
        if len(self.settings) != len(settings):
            raise Failed("settings are written `key=value`")
        if (password or tls) and self.product != "elasticsearch":
            raise Failed(f"`--password` and `--tls`: {engine} comes without its security part")
        if tls and not password:
            raise Failed("`--tls` needs `--password`")

    def install(self):
        self.home.install()
        self.certificate = certificate.install() if self.tls else None

    def command(self, data, port):
        """The node's command line and environment, after writing its configuration into `data`."""
        (data / "config").mkdir(exist_ok=True)
        (data / "tmp").mkdir(exist_ok=True)
        shutil.copy(HERE / "log4j2.properties", data / "config")
        if self.tls:
            shutil.copy(self.certificate / "http.p12", data / "config")
        lines = "".join(f"{key}: {value}\n" for key, value in {**self.defaults(data, port), **self.settings}.items())
        (data / "config" / f"{self.product}.yml").write_text(lines)
        env = {"PASSWORD": self.password} if self.password else {}
        if self.tls:
            env["KEYSTORE_PASSWORD"] = certificate.PASSWORD
        # The first compiler only: tests are short, and a start then costs half the CPU time.
        java = [self.home.java, f"-Xms{self.heap}", f"-Xmx{self.heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        properties = ["-Djava.awt.headless=true", "-Dlog4j2.disable.jmx=true", f"-Djava.io.tmpdir={data / 'tmp'}"]
        return [*java, *properties, *self.class_path(data), "Main", self.home.folder, data], env

    def url(self, port):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{port}"

    def settle(self, url):
        """With security on, waits until the security index serves: before, right and wrong passwords alike get 503."""
        if not self.password:
            return
        login = base64.b64encode(f"elastic:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        trust = ssl.create_default_context(cafile=self.certificate / "ca.pem") if self.tls else None
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
        for _ in range(SETTLE_TRIES):
            try:
                request = urllib.request.Request(
                    f"{url}/_security/api_key", b'{"name": "settled", "expiration": "1s"}', headers, method="PUT"
                )
                direct.open(request, timeout=30).close()
                return
            except urllib.error.HTTPError as answer:
                if answer.code != 503:
                    raise Failed(f"{url} answered {answer.code}: {answer.read(1000).decode(errors='replace')}") from answer
            time.sleep(0.1)
        raise Failed(f"the security index of {url} does not serve")

    def details(self):
        details = {"engine": self.engine, "version": self.home.version}
        if self.password:
            details |= {"username": "elastic", "password": self.password}
        if self.tls:
            details["ca"] = str(self.certificate / "ca.pem")
        return details

    def defaults(self, data, port):
        settings = {
            "cluster.name": "search-test",
            "node.name": "search-1",
            "network.host": "127.0.0.1",
            "http.port": port,
            "transport.port": 0,
            "discovery.type": "single-node",
            "path.data": data / "data",
            "path.logs": data / "logs",
            "cluster.routing.allocation.disk.threshold_enabled": "false",
        }
        if self.product == "elasticsearch":
            settings["xpack.security.enabled"] = "true" if self.password else "false"
        if self.tls:
            settings["xpack.security.http.ssl.enabled"] = "true"
            settings["xpack.security.http.ssl.keystore.path"] = "http.p12"
        return settings

    def class_path(self, data):
        jars, launcher = self.home.folder / "lib", self.home.folder / "launcher"
        if self.engine == "elasticsearch":
            path = ["--module-path", jars, "--add-modules", "ALL-MODULE-PATH,jdk.net", "-cp", launcher]
        else:
            # On Elasticsearch 9, too: as modules its jars want jdk.jdi and jdk.jlink, which the runtime lacks.
            path = ["-cp", f"{launcher}:{jars}/*"]
        if self.product == "opensearch":
            path += [f"-Des.path.home={self.home.folder}", f"-Des.path.conf={data / 'config'}"]
        else:
            # Its own libzstd, without which shards with the codec best_compression do not start.
            native = jars / "platform" / f"linux-{'aarch64' if platform.machine() == 'aarch64' else 'x64'}"
            path += [f"-Des.nativelibs.path={native}", f"-Djna.library.path={native}"]
        return path
