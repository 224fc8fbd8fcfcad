"""The AWS servers: moto with corrections, ElasticMQ, and the `fast` responder. All hold their data in memory."""

import sys
from pathlib import Path

from process import Kind
from state import Failed, STATE, Skipped, download, installation, run, tool

HERE = Path(__file__).resolve().parent


class Moto(Kind):
    """Everything, functionally. Its environment also holds boto3 and the AWS CLI."""

    def __init__(self, options):
        self.keys = options.keys

    def install(self):
        requirements = HERE / "requirements.txt"
        # The first two parts of the version: compiled packages fit one minor release of Python only.
        python = "%d.%d" % sys.version_info[:2]

        def build(folder):
            try:
                run([sys.executable, "-m", "venv", folder])
            except Failed as error:
                raise Skipped(f"Python's `venv` module does not work here: {error}") from error
            pip = [
                folder / "bin" / "python",
                "-m",
                "pip",
                "install",
                "-q",
                "--disable-pip-version-check",
                "--retries",
                "1",
                "-r",
                requirements,
            ]
            download(pip, STATE / "moto.log", "moto")

        self.python = installation("moto", [requirements, python], build) / "bin" / "python"

    def command(self, data, port):
        env = {"CLOUDTRAIL_KEYS": str(Path(self.keys).resolve())} if self.keys else {}
        return [self.python, HERE / "moto_serve.py", port, data], env

    def details(self):
        return {"python": str(self.python)}


class ElasticMq(Kind):
    """A second, independent SQS: strict about limits, stale receipt handles refused, redrive, FIFO."""

    def __init__(self, _options):
        pass

    def install(self):
        java = "Java 17 or newer is needed"
        self.java = tool("java", java)
        source = HERE / "elasticmq"

        def build(folder):
            maven = [tool("mvn", "Maven is needed for the first start of ElasticMQ"), "-q", "-B", "-f", source / "pom.xml"]
            download([*maven, "dependency:copy-dependencies", f"-DoutputDirectory={folder}"], STATE / "elasticmq.log", "ElasticMQ")
            run([tool("javac", java), "-cp", f"{folder}/*", "-d", folder / "launcher", source / "Main.java"])

        self.home = installation("elasticmq", [source / "pom.xml", source / "Main.java"], build)

    def command(self, data, port):
        path = f"{self.home}/launcher:{self.home}/*"
        return [
            self.java,
            "-Xmx512m",
            "-XX:+UseSerialGC",
            f"-Dconfig.file={HERE / 'elasticmq' / 'elasticmq.conf'}",
            "-cp",
            path,
            "Main",
            port,
            data,
        ], {}


class Fast(Kind):
    """Our own responder for benchmarks and faults: costs the shipper's core almost nothing."""

    def __init__(self, _options):
        pass

    def install(self):
        cargo = tool("cargo", "Rust is needed to build the responder")
        source = HERE / "fast"

        def build(folder):
            manifest = ["--manifest-path", source / "Cargo.toml", "--locked"]
            download([cargo, "fetch", *manifest], STATE / "fast.log", "the responder's crates")
            run([cargo, "build", "-q", "--release", "--offline", *manifest, "--target-dir", folder])

        sources = [source / "Cargo.toml", source / "Cargo.lock", *sorted((source / "src").glob("*.rs"))]
        self.program = installation("fast", sources, build) / "release" / "aws-fast"
        if not self.program.exists():
            raise Failed(f"{self.program} was not built")

    def command(self, data, port):
        return [self.program, port, data], {}


SERVICES = {"aws": Moto, "elasticmq": ElasticMq, "fast": Fast}
