package acceptance_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/stashbase/vault-stashbase/shared/vaulttest"
)

const (
	operator  = "operator"
	admin     = "workspace-admin"
	developer = "developer"
	reader    = "reader"
	workload  = "workload"
	custodian = "key-custodian"
	crypto    = "crypto-service"

	integrationAdmin = "integration-admin"
	syncOperator     = "sync-operator"
)

// rights lists the capabilities of each role.
type rights map[string]string

// row lists what each role may do on a path, for names within the role's reach. Everything else is
// refused.
type row struct {
	path    string
	creates bool // Vault treats the first write of a name as a create
	may     rights
}

// matrix has a row for every path except the paths of single providers.
var matrix = []row{
	{"", false, rights{operator: "list"}},
	{"config", false, rights{operator: "read update patch"}},
	{"info", false, rights{operator: "read"}},
	{"master-key", false, rights{operator: "read list"}},
	{"master-key/", false, rights{operator: "read list"}},
	{"master-key/rotate", false, rights{operator: "update"}},
	{"policies/", false, rights{operator: "list", admin: "list"}},
	{"policies/{role}", false, rights{operator: "read", admin: "read"}},
	{"workspaces/", false, rights{operator: "list"}},
	{"workspaces/{workspace}", true, rights{operator: "create read update patch delete", admin: "read"}},
	{"workspaces/{workspace}/lock", false, rights{operator: "update"}},
	{"workspaces/{workspace}/unlock", false, rights{operator: "update"}},
	{"keys/{workspace}", false, rights{admin: "read list", custodian: "read update list"}},
	{"keys/{workspace}/", false, rights{admin: "read list", custodian: "read update list"}},
	{"keys/{workspace}/rotate", false, rights{custodian: "update"}},
	{"keys/{workspace}/rewrap", false, rights{custodian: "update"}},
	{"keys/{workspace}/trim", false, rights{custodian: "update"}},
	{"integrations/{workspace}/", false, rights{admin: "list", integrationAdmin: "list", syncOperator: "list"}},
	{"status/{workspace}", false, rights{admin: "read list"}},
	{"status/{workspace}/", false, rights{admin: "read list"}},
	{"syncs/{workspace}/", false, rights{admin: "list", syncOperator: "list"}},
	{"syncs/{workspace}/{project}/", false, rights{admin: "list"}},
	{"syncs/{workspace}/{project}/{environment}/", false, rights{admin: "list", syncOperator: "list"}},
	{"projects/{workspace}/", false, rights{admin: "list"}},
	{"projects/{workspace}/{project}", true, rights{admin: "create read update patch delete", developer: "read"}},
	{"environments/{workspace}/", false, rights{admin: "list"}},
	{"environments/{workspace}/{project}/", false, rights{admin: "list", developer: "list"}},
	{"environments/{workspace}/{project}/{environment}", true, rights{admin: "create read update patch delete", developer: "read"}},
	{"secrets/{workspace}/", false, rights{admin: "list"}},
	{"secrets/{workspace}/{project}/", false, rights{admin: "list", developer: "list"}},
	{"secrets/{workspace}/{project}/{environment}/", false, rights{admin: "list", developer: "list", reader: "list"}},
	{"secrets/{workspace}/{project}/{environment}/{name}", true, rights{admin: "create read update patch delete", developer: "create read update patch delete", reader: "read"}},
	{"metadata/{workspace}/", false, rights{admin: "list"}},
	{"metadata/{workspace}/{project}/", false, rights{admin: "list", developer: "list"}},
	{"metadata/{workspace}/{project}/{environment}", false, rights{admin: "read list", developer: "read list", reader: "read list"}},
	{"metadata/{workspace}/{project}/{environment}/", false, rights{admin: "read list", developer: "read list", reader: "read list"}},
	{"metadata/{workspace}/{project}/{environment}/{name}", false, rights{admin: "create read update patch delete list", developer: "create read update patch list", reader: "read list"}},
	{"metadata/{workspace}/{project}/{environment}/{name}/", false, rights{admin: "create read update patch delete list", developer: "create read update patch list", reader: "read list"}},
	{"undelete/{workspace}/{project}/{environment}/{name}", false, rights{admin: "update", developer: "update"}},
	{"destroy/{workspace}/{project}/{environment}/{name}", false, rights{admin: "update"}},
	{"rollback/{workspace}/{project}/{environment}/{name}", false, rights{admin: "update", developer: "update"}},
	{"import/{workspace}/{project}/{environment}", false, rights{admin: "update", developer: "update"}},
	{"load/{workspace}/", false, rights{admin: "list"}},
	{"load/{workspace}/{project}/", false, rights{admin: "list", developer: "list"}},
	{"load/{workspace}/{project}/{environment}", false, rights{admin: "read", developer: "read", reader: "read", workload: "read"}},
	{"render/{workspace}/{project}/{environment}", false, rights{admin: "read", developer: "read", reader: "read"}},
	{"compare/{workspace}/{project}", false, rights{admin: "read"}},
	{"changes/{workspace}/", false, rights{admin: "list"}},
	{"changes/{workspace}/{project}/", false, rights{admin: "list", developer: "list"}},
	{"changes/{workspace}/{project}/{environment}", false, rights{admin: "read list", developer: "read list", reader: "read list"}},
	{"changes/{workspace}/{project}/{environment}/", false, rights{admin: "read list", developer: "read list", reader: "read list"}},
	{"revert/{workspace}/{project}/{environment}", false, rights{admin: "update", developer: "update"}},
	{"encrypt/{workspace}/{context}", false, rights{crypto: "update"}},
	{"decrypt/{workspace}/{context}", false, rights{crypto: "update"}},
	{"rewrap/{workspace}/{context}", false, rights{crypto: "update"}},
	{"hmac/{workspace}/{context}", false, rights{crypto: "update"}},
	{"verify/{workspace}/{context}", false, rights{crypto: "update"}},
	{"datakey/{workspace}/{context}", false, rights{crypto: "update"}},
	// The lists that only complete the paths of writes belong to no role.
	{"undelete/{workspace}/", false, nil},
	{"undelete/{workspace}/{project}/", false, nil},
	{"undelete/{workspace}/{project}/{environment}/", false, nil},
	{"destroy/{workspace}/", false, nil},
	{"destroy/{workspace}/{project}/", false, nil},
	{"destroy/{workspace}/{project}/{environment}/", false, nil},
	{"rollback/{workspace}/", false, nil},
	{"rollback/{workspace}/{project}/", false, nil},
	{"rollback/{workspace}/{project}/{environment}/", false, nil},
	{"import/{workspace}/", false, nil},
	{"import/{workspace}/{project}/", false, nil},
	{"render/{workspace}/", false, nil},
	{"render/{workspace}/{project}/", false, nil},
	{"revert/{workspace}/", false, nil},
	{"revert/{workspace}/{project}/", false, nil},
	{"compare/{workspace}/", false, nil},
}

// categories lists the categories with a list of workspaces that only the operator may read.
var categories = strings.Fields("changes compare datakey decrypt destroy encrypt environments hmac import integrations keys load metadata projects " +
	"render revert rewrap rollback secrets status syncs undelete verify")

// classified returns the matrix with the paths of every provider. The rows of all providers are the
// same.
func classified(c caller) []row {
	all := slices.Clone(matrix)
	for _, category := range categories {
		all = append(all, row{category + "/", false, rights{operator: "list"}})
	}
	providers, _ := c.read("info")["providers"].(data)
	for name := range providers {
		folder := "integrations/{workspace}/" + name + "/"
		all = append(all,
			row{folder, false, rights{admin: "list", integrationAdmin: "list"}},
			row{folder + "{name}", true, rights{admin: "create read update patch delete", integrationAdmin: "create read update patch delete"}},
			row{folder + "{name}/verify", false, rights{admin: "update", integrationAdmin: "update"}})
		provider, _ := providers[name].(data)
		destinations, _ := provider["destinations"].(data)
		for destination := range destinations {
			folder := "syncs/{workspace}/{project}/{environment}/" + destination + "/"
			one := folder + "{name}"
			all = append(all, row{folder, false, rights{admin: "list", syncOperator: "list"}}, row{one, true, rights{admin: "create read update patch delete", syncOperator: "create read update patch delete"}})
			for action, capability := range map[string]string{"plan": "read update list", "run": "update", "status": "read list", "adopt": "update", "pause": "update", "resume": "update"} {
				may := rights{admin: capability, syncOperator: capability}
				all = append(all, row{one + "/" + action, false, may})
				if strings.Contains(capability, "list") {
					all = append(all, row{one + "/" + action + "/", false, may})
				}
			}
		}
	}
	return all
}

// envPath names an environment. It fills the names of a path.
type envPath struct{ workspace, project, environment string }

// The environments of the matrix: the one that the roles are issued for, and its neighbours. Their
// names begin alike, so a careless glob would match them too.
var (
	own              = envPath{"acme", "api", "development"}
	otherEnvironment = envPath{"acme", "api", "development2"}
	otherProject     = envPath{"acme", "api2", "development"}
	otherWorkspace   = envPath{"acme2", "api", "development"}
	envPaths         = []envPath{own, otherEnvironment, otherProject, otherWorkspace}
)

// fill replaces the names of a path. The context is named after the project whose services would
// use it.
func (p envPath) fill(path string) string {
	return strings.NewReplacer("{workspace}", p.workspace, "{project}", p.project, "{environment}", p.environment,
		"{context}", p.project, "{name}", "DATABASE_URL", "{role}", "workload").Replace(path)
}

// holders are the roles with their parameters, and the environments they reach.
var holders = []struct {
	name, role, parameters string
	reach                  []envPath
}{
	{"operator", operator, "", envPaths},
	{"workspace admin", admin, "workspace=acme", []envPath{own, otherEnvironment, otherProject}},
	{"developer", developer, "workspace=acme&project=api&environment=development", []envPath{own}},
	{"developer of every environment", developer, "workspace=acme&project=api", []envPath{own, otherEnvironment}},
	{"reader", reader, "workspace=acme&project=api&environment=development", []envPath{own}},
	{"workload", workload, "workspace=acme&project=api&environment=development", []envPath{own}},
	{"integration admin", integrationAdmin, "workspace=acme", []envPath{own}},
	{"sync operator", syncOperator, "workspace=acme&project=api&environment=development", []envPath{own}},
	{"key custodian", custodian, "workspace=acme", []envPath{own}},
	{"crypto service", crypto, "workspace=acme&context=api", []envPath{own}},
}

func TestTheMatrixCoversEveryPathAndRole(t *testing.T) {
	c := root(t, vault.Server(t))
	d := openapi(c)
	var listed, roles []string
	loads := map[string]string{}
	for _, row := range matrix {
		if row.path == "load/{workspace}/{project}/{environment}" {
			loads = row.may
		}
	}
	for _, row := range classified(c) {
		listed = append(listed, "/"+row.path)
		// Both return whether values are equal, so no role has them without the right to load.
		for role := range row.may {
			oracle := row.path == "import/{workspace}/{project}/{environment}" || row.path == "compare/{workspace}/{project}"
			if oracle && !strings.Contains(loads[role], "read") {
				t.Errorf("%s has %s without load", role, row.path)
			}
		}
		roles = slices.AppendSeq(roles, maps.Keys(row.may))
		if got := d.Paths["/"+row.path].CreateSupported; got != row.creates {
			t.Errorf("%s: creates is %t in the table and %t in the engine", row.path, row.creates, got)
		}
	}
	slices.Sort(listed)
	same(t, "paths in the table", listed, slices.Sorted(maps.Keys(d.Paths)))
	for _, holder := range holders {
		roles = append(roles, holder.role)
	}
	slices.Sort(roles)
	same(t, "roles in the table", slices.Compact(roles), c.list("policies"))
}

// Every request carries a field that no path accepts. The ACL decides before the engine sees the
// request, so permitted requests change nothing.
func TestEachRoleMayDoExactlyWhatTheMatrixSays(t *testing.T) {
	s := vault.Server(t)
	c := mounted(t, s, "teams/stash")
	users := make([]caller, len(holders))
	for i, holder := range holders {
		policy, _ := c.read("policies/" + holder.role + "?" + holder.parameters)["policy"].(string)
		users[i] = callerOf(t, s.ClientWithPolicy(t, policy)).atMount(c.mount)
	}
	paths := classified(c)
	all := func(t *testing.T, requests map[string]string) {
		t.Helper()
		for i, holder := range holders {
			t.Run(holder.name, func(t *testing.T) {
				for _, row := range paths {
					reached := filled(row.path, holder.reach)
					for _, path := range filled(row.path, envPaths) {
						for method, capability := range requests {
							if capability == "update" && row.creates && method == "PUT" {
								capability = "create"
							}
							allowed := slices.Contains(reached, path) && slices.Contains(strings.Fields(row.may[holder.role]), capability)
							users[i].in(t).decided(method, path, capability, allowed)
						}
					}
				}
			})
		}
	}
	// On the empty mount a write is a create, if the path distinguishes create and update.
	t.Run("empty", func(t *testing.T) { all(t, map[string]string{"PUT": "update"}) })
	for _, p := range envPaths {
		c.write("workspaces/"+p.workspace, nil)
		c.write("secrets/"+c.environment(p.workspace, p.project, p.environment)+"/DATABASE_URL", data{"value": "x"})
	}
	t.Run("populated", func(t *testing.T) {
		all(t, map[string]string{"POST": "update", "GET": "read", "PATCH": "patch", "DELETE": "delete", "LIST": "list"})
	})
	expect(t, "afterwards, info", c.read("info"), data{"workspaces": 2, "projects": 3, "environments": 4, "secrets": 4})
}

// filled returns the paths of a template for the given environments.
func filled(path string, in []envPath) []string {
	var all []string
	for _, p := range in {
		all = append(all, p.fill(path))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// decided makes a request and checks whether the ACL permitted it.
func (c caller) decided(method, path, capability string, allowed bool) {
	c.t.Helper()
	url, body := strings.TrimSuffix(path, "/"), data(nil)
	switch method {
	case http.MethodGet, http.MethodDelete:
		url += "?surplus=1"
	case "LIST":
	default:
		if path == "" {
			return // Vault rejects a write to a mount itself, whatever the policy
		}
		body = data{"surplus": "1"}
	}
	if a := c.send(method, url, body); (a.status != http.StatusForbidden) != allowed {
		c.t.Errorf("%s: allowed should be %t: %s", capability, allowed, a)
	}
}

// mounted mounts the plugin at another path until the test ends. It returns a caller with the root
// token at that mount.
func mounted(t testing.TB, s *vaulttest.Server, path string) caller {
	t.Helper()
	sys := s.Client().Sys()
	first, err := sys.GetMount(vaulttest.MountPath)
	if err != nil {
		t.Fatal(err)
	}
	err = sys.Mount(path, &api.MountInput{Type: first.Type, Config: api.MountConfigInput{PluginVersion: first.PluginVersion}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sys.Unmount(path); err != nil {
			t.Error(err)
		}
	})
	return root(t, s).atMount(path)
}
