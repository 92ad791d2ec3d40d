package resources_test

import "testing"

// The mount has one configuration, so nothing else may run meanwhile. The tests of the package are
// not parallel.
func TestTheConfigurationIsManagedByTheSettingsGiven(t *testing.T) {
	each(t, func(w *world) {
		const address = "stashbase_config.it"
		w.configure("resource \"stashbase_config\" \"it\" {\n  max_versions = 7\n  max_projects = 70\n}")
		w.Apply()
		w.holds(w.read("config"), "max_versions", 7)
		w.holds(w.State(address), "max_environments", w.read("config")["max_environments"])
		w.PlansNothing()

		// A setting of the resource is repaired; other settings may be changed by others.
		w.write("config", map[string]any{"max_versions": 8, "max_environments": 9})
		w.PlansOnly(address, "update")
		w.Apply()
		w.holds(w.read("config"), "max_versions", 7)
		w.holds(w.read("config"), "max_environments", 9)
		w.PlansNothing()

		// A setting that is removed from the resource is reset to its default.
		w.configure("resource \"stashbase_config\" \"it\" {\n  max_versions = 7\n}")
		w.PlansOnly(address, "update")
		w.Apply()
		w.holds(w.read("config"), "max_projects", 1000)
		w.PlansNothing()

		w.configure("resource \"stashbase_config\" \"it\" {\n  max_versions = 7\n  egress_allow = [\"127.0.0.0/8+http\", \"10.0.0.0/8:443\"]\n}")
		w.Apply()
		w.holds(w.read("config"), "egress_allow", "[10.0.0.0/8:443 127.0.0.0/8+http]")
		w.PlansNothing()
		w.configure("resource \"stashbase_config\" \"it\" {\n  max_versions = 7\n}")
		w.Apply()
		w.holds(w.read("config"), "egress_allow", "[]")

		if out, err := w.Try("state", "rm", address); err != nil {
			t.Fatal(out)
		}
		w.Import(address, "config")
		w.PlansNothing()
		w.Apply()

		w.configure("resource \"stashbase_config\" \"it\" {\n  max_versions = 700\n}")
		w.Fails([]string{"max_versions = 700", "between 1 and 100"}, "apply", "-auto-approve")
		w.configure("resource \"stashbase_config\" \"it\" {\n  max_versions = 6\n}")
		w.Apply()
		w.Destroy()
		w.holds(w.read("config"), "max_versions", 10)
		w.write("config", map[string]any{"max_environments": 1000})
	})
}
