package resources

import (
	"context"
	"fmt"

	"github.com/stashbase/vault-stashbase/shared/client"
	"github.com/stashbase/vault-stashbase/terraform-provider/internal/base"
)

// content counts what the object that a plan destroys contains. The count is negative if the engine
// cannot be asked.
func content(ctx context.Context, old *base.Replaced, count func(*client.Client) (int64, error)) int64 {
	engine, err := old.Client(ctx)
	if err != nil {
		return -1
	}
	n, err := count(engine)
	if err != nil {
		return -1
	}
	return n
}

// several returns "3 secrets", "1 secret", or "secrets" for a negative number.
func several(n int64, noun string) string {
	switch {
	case n < 0:
		return noun + "s"
	case n == 1:
		return "1 " + noun
	default:
		return fmt.Sprintf("%d %ss", n, noun)
	}
}

// warnReplaced warns that a changed key destroys an object. lost describes what is lost.
func warnReplaced[M any](c *base.PlanCall[M], what, lost string) {
	c.Warn(c.Replaces.Attribute, fmt.Sprintf("The %s %q will be destroyed, not renamed", what, c.Replaces.ID),
		fmt.Sprintf("Names cannot change, so changing %s destroys the %s and creates another one. %s\n\n"+
			"To keep the content, add the new %s as a second resource, copy what it contains, and remove the old resource last.",
			c.Replaces.Attribute, what, lost, what))
}

// planWorkspace warns of a rename even if the workspace has no projects: its keys also protect what
// services have encrypted.
func planWorkspace(ctx context.Context, c *base.PlanCall[workspace]) error {
	if old := c.Replaces; old != nil {
		projects := content(ctx, old, func(engine *client.Client) (int64, error) {
			w, err := engine.Workspace(ctx, old.Names[0])
			if err != nil {
				return 0, err
			}
			return w.Projects, nil
		})
		warnReplaced(c, "workspace", "Its keys are destroyed, which makes its content ("+several(projects, "project")+
			") and everything that services have encrypted in it permanently unreadable.")
	}
	return nil
}

func planProject(ctx context.Context, c *base.PlanCall[project]) error {
	if old := c.Replaces; old != nil {
		environments := content(ctx, old, func(engine *client.Client) (int64, error) {
			p, err := engine.Project(ctx, old.Names[0], old.Names[1])
			if err != nil {
				return 0, err
			}
			return p.Environments, nil
		})
		if environments != 0 {
			warnReplaced(c, "project", "It contains "+several(environments, "environment")+", whose secrets are removed permanently with all their versions.")
		}
	}
	return nil
}

// warnRenamed warns of a rename of an environment that contains secrets, deleted ones included.
func warnRenamed(ctx context.Context, c *base.PlanCall[environment]) {
	old := c.Replaces
	if old == nil {
		return
	}
	secrets := content(ctx, old, func(engine *client.Client) (int64, error) {
		e, err := engine.Environment(ctx, old.Names[0], old.Names[1], old.Names[2])
		if err != nil {
			return 0, err
		}
		return e.Secrets, nil
	})
	if secrets != 0 {
		warnReplaced(c, "environment", "It contains "+several(secrets, "secret")+", which are removed permanently with all their versions. "+
			"The new environment contains only secrets that a configuration writes.")
	}
}

func warnSecretReplaced(c *base.PlanCall[secret]) {
	switch how := c.Prior.OnDestroy.ValueString(); {
	case c.Replaces == nil:
	case how == purge:
		warnReplaced(c, "secret", `With on_destroy = "purge", all its versions are removed permanently.`)
	case how == soft && !c.Config.hasValue():
		warnReplaced(c, "secret", "Its newest version is marked as deleted. The value is set elsewhere, so the new secret has none.")
	}
}

func warnSecretsReplaced(c *base.PlanCall[secrets]) {
	if c.Replaces != nil && c.Prior.OnDestroy.ValueString() == purge {
		warnReplaced(c, "set of secrets", `With on_destroy = "purge", all versions of its secrets are removed permanently.`)
	}
}
