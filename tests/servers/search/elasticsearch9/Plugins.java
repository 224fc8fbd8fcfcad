import java.util.Map;
import org.elasticsearch.env.Environment;
import org.elasticsearch.plugins.PluginsLoader;

/** Loads modules and plugins as Elasticsearch 9 wants it. */
final class Plugins {
    static PluginsLoader loader(Environment env) {
        return PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(env.modulesDir(), false), PluginsLoader.loadPluginsBundles(env.pluginsDir(), false),
            Map.of(), false);
    }
}
