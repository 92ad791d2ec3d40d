package githubtest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// account returns a user in the form in which GitHub embeds users.
func account(login string, id int) map[string]any {
	const api = "https://api.github.com/users/"
	return map[string]any{
		"login": login, "id": id, "node_id": "U_kgDO", "avatar_url": "https://avatars.githubusercontent.com/u/1", "gravatar_id": "",
		"url": api + login, "html_url": "https://github.com/" + login, "followers_url": api + login + "/followers",
		"following_url": api + login + "/following{/other_user}", "gists_url": api + login + "/gists{/gist_id}",
		"starred_url": api + login + "/starred{/owner}{/repo}", "subscriptions_url": api + login + "/subscriptions",
		"organizations_url": api + login + "/orgs", "repos_url": api + login + "/repos", "events_url": api + login + "/events{/privacy}",
		"received_events_url": api + login + "/received_events", "type": "User", "site_admin": false,
	}
}

func (s *Server) user(w http.ResponseWriter, r *http.Request) {
	g := grantOf(r)
	if g.Login == "" {
		refuse(w, http.StatusForbidden, "Resource not accessible by integration")
		return
	}
	body := account(g.Login, g.id)
	for _, name := range []string{"bio", "blog", "company", "email", "hireable", "location", "name"} {
		body[name] = nil
	}
	for _, name := range []string{"followers", "following", "public_gists", "public_repos"} {
		body[name] = 0
	}
	body["user_view_type"], body["created_at"], body["updated_at"] = "public", "2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z"
	reply(w, http.StatusOK, body)
}

func (s *Server) installation(w http.ResponseWriter, r *http.Request) {
	g := grantOf(r)
	if g.Login != "" {
		refuse(w, http.StatusForbidden, "You must authenticate with an installation access token in order to list repositories for an installation.")
		return
	}
	shown, size := []map[string]any{}, number(r.URL.Query(), "per_page", 30)
	count := 0
	for _, full := range slices.Sorted(maps.Keys(s.repos)) {
		repo := s.repos[full]
		if !g.sees(repo.owner + "/" + repo.name) {
			continue
		}
		if count++; len(shown) < size {
			shown = append(shown, repo.show())
		}
	}
	selection := "all"
	if g.Repositories != nil {
		selection = "selected"
	}
	reply(w, http.StatusOK, map[string]any{"total_count": count, "repositories": shown, "repository_selection": selection})
}

func (c *repository) show() map[string]any {
	full := c.owner + "/" + c.name
	body := map[string]any{
		"id": c.id, "node_id": "R_kgDO", "name": c.name, "full_name": full, "owner": account(c.owner, 1), "private": true, "fork": false,
		"html_url": "https://github.com/" + full, "url": "https://api.github.com/repos/" + full, "default_branch": "main", "license": nil,
		"git_url": "git:github.com/" + full + ".git", "ssh_url": "git@github.com:" + full + ".git", "clone_url": "https://github.com/" + full + ".git",
		"svn_url": "https://svn.github.com/" + full, "pushed_at": "2026-01-01T00:00:00Z", "created_at": "2020-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
	}
	for _, name := range strings.Fields("description homepage language mirror_url") {
		body[name] = nil
	}
	for _, name := range strings.Fields("archived disabled has_downloads has_issues has_projects has_wiki has_pages") {
		body[name] = false
	}
	for _, name := range strings.Fields("forks forks_count open_issues open_issues_count size stargazers_count watchers watchers_count") {
		body[name] = 0
	}
	for _, name := range strings.Fields("archive assignees blobs branches collaborators comments commits compare contents contributors deployments downloads " +
		"events forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels languages merges milestones notifications pulls " +
		"releases stargazers statuses subscribers subscription tags teams trees") {
		body[name+"_url"] = "https://api.github.com/repos/" + full + "/" + name
	}
	return body
}
