package api

// Routes lists method, prefix and pattern of every route, for tests that walk them.
func (a *API) Routes() [][3]string {
	var out [][3]string
	add := func(r *route) {
		prefix := ""
		if r.service != ownService {
			prefix = "/" + string(r.service) + "/v1"
		}
		open := ""
		if r.open {
			open = " open"
		}
		out = append(out, [3]string{r.method, prefix + r.pattern, open})
	}
	for _, byLength := range a.routes.routes {
		for _, routes := range byLength {
			for _, r := range routes {
				add(r)
			}
		}
	}
	for _, routes := range a.routes.rest {
		for _, r := range routes {
			add(r)
		}
	}
	return out
}
