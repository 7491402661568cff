package api

import (
	"net/http"
	"strings"
)

// service is one of the three services StackStorm splits its interface into.
// Each has a prefix of its own; without a prefix all are served.
type service string

const (
	apiService    service = "api"
	authService   service = "auth"
	streamService service = "stream"
	ownService    service = "" // ours alone, only at its own path: /healthz
)

// route is a method on a path and what serves it.
type route struct {
	method     string
	pattern    string // "/actions/{ref_or_id}"; "{name...}" takes the rest, slashes included
	service    service
	open       bool     // needs no credential
	permission string   // asked before the handler; empty for none
	endless    bool     // a stream: no deadline
	except     []string // prefixes that the last segment must not have
	handle     func(*call) error
	segments   []string
}

type router struct {
	routes map[service]map[int][]*route // by the number of segments
	rest   map[service][]*route         // patterns that take the rest of a path
}

func newRouter(routes []route) *router {
	t := &router{routes: map[service]map[int][]*route{}, rest: map[service][]*route{}}
	for i := range routes {
		r := &routes[i]
		r.segments = segmentsOf(r.pattern)
		if strings.HasSuffix(r.pattern, "...}") {
			t.rest[r.service] = append(t.rest[r.service], r)
			continue
		}
		if t.routes[r.service] == nil {
			t.routes[r.service] = map[int][]*route{}
		}
		t.routes[r.service][len(r.segments)] = append(t.routes[r.service][len(r.segments)], r)
	}
	return t
}

func segmentsOf(path string) []string {
	path = strings.TrimPrefix(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// find gives the route of a method on a decoded path, and what its parameters
// are. The same path is used for routing and for rights: there is no second
// clean-up. st2: st2common/st2common/router.py
func (t *router) find(method, path string) (*route, map[string]string) {
	if !strings.HasPrefix(path, "/") {
		return nil, nil
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	if r, params := t.in(ownService, method, path); r != nil {
		return r, params
	}
	for _, s := range []service{apiService, authService, streamService} {
		rest, ok := strings.CutPrefix(path, "/"+string(s))
		if !ok || rest == "" && s == streamService || rest != "" && rest[0] != '/' {
			continue
		}
		if r, params := t.in(s, method, unversioned(rest)); r != nil || s != streamService {
			return r, params
		}
	}
	// Without a prefix the three services share a path, as they would behind ports
	// of their own; where two serve it, the first does.
	rest := unversioned(path)
	for _, s := range []service{apiService, authService, streamService} {
		if r, params := t.in(s, method, rest); r != nil {
			return r, params
		}
	}
	return nil, nil
}

// unversioned takes the version off a path.
func unversioned(path string) string {
	if rest, ok := strings.CutPrefix(path, "/v1"); ok && (rest == "" || rest[0] == '/') {
		return rest
	}
	return path
}

func (t *router) in(s service, method, path string) (*route, map[string]string) {
	segments := segmentsOf(path)
	if len(segments) > 0 && segments[0] == "actionexecutions" {
		segments = append([]string{"executions"}, segments[1:]...)
	}
	// Fixed words go before parameters, so that views/overview is not the id "views".
	var best *route
	var found map[string]string
	for _, r := range t.routes[s][len(segments)] {
		if r.method != method {
			continue
		}
		if params, ok := r.match(segments); ok && (best == nil || len(params) < len(found)) {
			best, found = r, params
		}
	}
	if best != nil {
		return best, found
	}
	for _, r := range t.rest[s] {
		if r.method != method || len(segments) < len(r.segments) {
			continue
		}
		last := len(r.segments) - 1
		joined := append(append([]string{}, segments[:last]...), strings.Join(segments[last:], "/"))
		if params, ok := r.match(joined); ok {
			return r, params
		}
	}
	return nil, nil
}

func (r *route) match(segments []string) (map[string]string, bool) {
	params := map[string]string{}
	for i, want := range r.segments {
		got := segments[i]
		if !strings.HasPrefix(want, "{") {
			if got != want {
				return nil, false
			}
			continue
		}
		if got == "" {
			return nil, false
		}
		params[strings.TrimSuffix(strings.Trim(want, "{}"), "...")] = got
	}
	if n := len(segments); n > 0 {
		for _, prefix := range r.except {
			if strings.HasPrefix(segments[n-1], prefix) {
				return nil, false
			}
		}
	}
	return params, true
}

// table lists every route.
func (a *API) table() *router {
	const (
		get  = http.MethodGet
		post = http.MethodPost
		put  = http.MethodPut
		del  = http.MethodDelete
	)
	routes := []route{
		{method: get, pattern: "/healthz", service: ownService, open: true, handle: a.healthz},
		{method: get, pattern: "/readyz", service: ownService, open: true, handle: a.readyz},

		{method: get, pattern: "/", service: apiService, handle: a.version},
		{method: get, pattern: "/user", service: apiService, handle: a.user},
		{method: get, pattern: "/audit", service: apiService, permission: "audit_list", handle: a.auditList},

		{method: get, pattern: "/actions", service: apiService, permission: "action_list", handle: a.actionList},
		{method: post, pattern: "/actions", service: apiService, handle: a.actionCreate},
		{method: get, pattern: "/actions/{ref}", service: apiService, handle: a.actionGet},
		{method: put, pattern: "/actions/{ref}", service: apiService, handle: a.actionUpdate},
		{method: del, pattern: "/actions/{ref}", service: apiService, handle: a.actionDelete},
		{method: post, pattern: "/actions/{ref}/clone", service: apiService, handle: a.actionClone},
		{method: get, pattern: "/actions/views/parameters/{ref}", service: apiService, handle: a.actionParameters},
		{method: get, pattern: "/actions/views/overview", service: apiService, permission: "action_list", handle: a.actionOverviewList},
		{method: get, pattern: "/actions/views/overview/{ref}", service: apiService, handle: a.actionOverview},
		{method: get, pattern: "/actions/views/entry_point/{ref}", service: apiService, handle: a.actionEntryPoint},

		{method: get, pattern: "/actionalias", service: apiService, permission: "action_alias_list", handle: a.aliasList},
		{method: post, pattern: "/actionalias", service: apiService, handle: a.aliasCreate},
		{method: post, pattern: "/actionalias/match", service: apiService, permission: "action_alias_match", handle: a.aliasMatch},
		{method: get, pattern: "/actionalias/help", service: apiService, permission: "action_alias_help", handle: a.aliasHelp},
		{method: get, pattern: "/actionalias/{ref}", service: apiService, except: []string{"match", "help"}, handle: a.aliasGet},
		{method: put, pattern: "/actionalias/{ref}", service: apiService, handle: a.aliasUpdate},
		{method: del, pattern: "/actionalias/{ref}", service: apiService, handle: a.aliasDelete},
		{method: post, pattern: "/aliasexecution", service: apiService, handle: a.aliasExecute},
		{method: post, pattern: "/aliasexecution/match_and_execute", service: apiService, handle: a.aliasMatchAndExecute},

		{method: get, pattern: "/executions", service: apiService, permission: "execution_list", handle: a.executionList},
		{method: post, pattern: "/executions", service: apiService, handle: a.executionCreate},
		{method: get, pattern: "/executions/{id}", service: apiService, handle: a.executionGet},
		{method: put, pattern: "/executions/{id}", service: apiService, handle: a.executionUpdate},
		{method: del, pattern: "/executions/{id}", service: apiService, handle: a.executionCancel},
		{method: post, pattern: "/executions/{id}/re_run", service: apiService, handle: a.executionRerun},
		{method: get, pattern: "/executions/{id}/output", service: apiService, handle: a.executionOutput},
		{method: get, pattern: "/executions/{id}/children", service: apiService, handle: a.executionChildren},
		{method: get, pattern: "/executions/{id}/attribute/{attribute}", service: apiService, handle: a.executionAttribute},
		{method: get, pattern: "/executions/{id}/result", service: apiService, handle: a.executionResult},
		{method: get, pattern: "/executions/views/filters", service: apiService, permission: "execution_views_filters_list", handle: a.executionFilters},

		{method: get, pattern: "/packs", service: apiService, permission: "pack_list", handle: a.packList},
		{method: get, pattern: "/packs/{ref}", service: apiService, except: []string{"index", "views"}, handle: a.packGet},
		{method: post, pattern: "/packs/install", service: apiService, permission: "pack_install", handle: a.packInstall},
		{method: post, pattern: "/packs/uninstall", service: apiService, permission: "pack_uninstall", handle: a.packUninstall},
		{method: post, pattern: "/packs/register", service: apiService, permission: "pack_register", handle: a.packRegister},
		{method: get, pattern: "/packs/views/files/{ref}", service: apiService, handle: a.packFiles},
		{method: get, pattern: "/packs/views/file/{ref}/{path...}", service: apiService, handle: a.packFile},
		{method: get, pattern: "/configs", service: apiService, permission: "pack_list", handle: a.configList},
		{method: get, pattern: "/configs/{pack}", service: apiService, handle: a.configGet},
		{method: put, pattern: "/configs/{pack}", service: apiService, permission: "pack_config", handle: a.configPut},
		{method: get, pattern: "/config_schemas", service: apiService, permission: "pack_list", handle: a.configSchemaList},
		{method: get, pattern: "/config_schemas/{pack}", service: apiService, handle: a.configSchemaGet},

		{method: get, pattern: "/runnertypes", service: apiService, permission: "runner_type_list", handle: a.runnerList},
		{method: get, pattern: "/runnertypes/{name}", service: apiService, handle: a.runnerGet},
		{method: put, pattern: "/runnertypes/{name}", service: apiService, handle: a.runnerUpdate},

		{method: get, pattern: "/apikeys", service: apiService, permission: "api_key_list", handle: a.keyList},
		{method: post, pattern: "/apikeys", service: apiService, handle: a.keyCreate},
		{method: get, pattern: "/apikeys/{key}", service: apiService, handle: a.keyGet},
		{method: put, pattern: "/apikeys/{key}", service: apiService, handle: a.keyUpdate},
		{method: del, pattern: "/apikeys/{key}", service: apiService, handle: a.keyDelete},

		{method: get, pattern: "/users", service: apiService, permission: "user_list", handle: a.userList},
		{method: put, pattern: "/users/{name}", service: apiService, permission: "user_modify", handle: a.userPut},
		{method: put, pattern: "/users/{name}/chat/{identity}", service: apiService, permission: "user_modify", handle: a.userLink},
		{method: del, pattern: "/users/{name}/chat/{identity}", service: apiService, permission: "user_modify", handle: a.userUnlink},
		{method: get, pattern: "/chat/results/{id}", service: apiService, handle: a.chatResult},

		{method: post, pattern: "/tokens", service: authService, open: true, handle: a.tokenCreate},
		{method: post, pattern: "/tokens/validate", service: authService, handle: a.tokenValidate},
		{method: get, pattern: "/sso", service: authService, open: true, handle: a.sso},

		{method: get, pattern: "/stream", service: streamService, permission: "stream_view", endless: true, handle: a.streamAll},
		{method: get, pattern: "/executions/{id}/output", service: streamService, permission: "stream_view", endless: true, handle: a.streamOutput},
		{method: get, pattern: "/stream", service: apiService, permission: "stream_view", endless: true, handle: a.streamAll},
	}
	if a.cfg.Gatherer != nil {
		routes = append(routes, route{method: get, pattern: "/metrics", service: ownService, open: true, handle: a.showMetrics})
	}
	if a.cfg.Chat != nil {
		for _, method := range []string{get, post} {
			routes = append(routes, route{method: method, pattern: "/chat/{path...}", service: apiService, endless: true, handle: a.chat})
		}
	}
	return newRouter(routes)
}
