package api

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"slices"

	"petrel"
	"petrel/expr/value"
	"petrel/storage"
)

// newestOne selects the newest execution.
var newestOne = storage.ExecutionFilter{Limit: 1, NoTotal: true, OmitResult: true}

// maxResultSize is the largest value of max_result_size, 14 MiB.
const maxResultSize = 14 << 20

// executionFields are the attributes of executions that may be selected.
var executionFields = fieldRules{
	known: []string{
		"id", "trigger", "trigger_type", "trigger_instance", "rule", "action", "runner", "liveaction",
		"workflow_execution", "task_execution", "status", "start_timestamp", "end_timestamp", "parameters",
		"result", "result_size", "context", "parent", "children", "log", "delay", "web_url",
	},
	nested:    []string{"trigger", "trigger_type", "trigger_instance", "rule", "action", "runner", "liveaction", "parameters", "context", "log"},
	keep:      []string{"id"},
	excluding: []string{"result", "trigger_instance", "status"},
	also: map[string][]string{
		"action": {"uid", "pack", "parameters", "output_schema"},
		"runner": {"runner_parameters", "output_key"},
	},
	whole: []string{"parameters", "context"},
}

// executionGet serves GET executions/{id}.
func (a *API) executionGet(c *call) error {
	include, exclude := c.list("include_attributes"), c.list("exclude_attributes")
	size, err := c.integer("max_result_size", 0)
	if err != nil {
		return err
	}
	if err := executionFields.checkExclude(exclude); err != nil {
		return err
	}
	if include != nil && exclude != nil {
		return petrel.Errorf(petrel.Invalid, "exclude_attributes and include_attributes arguments are mutually exclusive. "+
			"You need to provide either one or another, but not both.")
	}
	if size > maxResultSize {
		return petrel.Errorf(petrel.Invalid, "max_result_size query parameter must be smaller than 14 MB")
	}
	if size < 0 {
		return petrel.Errorf(petrel.Invalid, "max_result_size query parameter must be positive")
	}
	pick, err := executionFields.pick(include, exclude, true)
	if err != nil {
		return err
	}
	masked, err := c.masked("execution:" + c.path["id"])
	if err != nil {
		return err
	}
	x, _, err := c.execution("execution_view", true)
	if err != nil {
		return err
	}
	if size > 0 && int64(x.ResultSize) > size {
		x.Result = nil
	}
	shape, err := a.executionShape(x, masked)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, pick.apply(shape))
}

// executionAttributes are those that can be asked for alone.
var executionAttributes = []string{"result", "trigger_instance", "status"}

// executionAttribute serves GET executions/{id}/attribute/{attribute}.
func (a *API) executionAttribute(c *call) error {
	name := c.path["attribute"]
	if !slices.Contains(executionAttributes, name) {
		return petrel.Errorf(petrel.Invalid, "Invalid attribute \"%s\" specified. Valid attributes are: result, trigger_instance, status", cutText(name))
	}
	x, _, err := c.execution("execution_view", false)
	if err != nil {
		return err
	}
	switch name {
	case "status":
		return c.json(http.StatusOK, x.Status)
	case "result":
		_, result, err := a.masking(x, !c.admin() && !a.cfg.ShowSecrets)
		if err != nil {
			return err
		}
		return c.json(http.StatusOK, orEmpty(result))
	}
	return c.json(http.StatusOK, object{})
}

// executionResult serves GET executions/{id}/result: the result alone.
// StackStorm shows it unmasked and to everybody; here it takes the right to
// view the execution, and only administrators see secrets.
func (a *API) executionResult(c *call) error {
	var download, compress, pretty bool
	for _, p := range []struct {
		name string
		to   *bool
	}{{"download", &download}, {"compress", &compress}, {"pretty_format", &pretty}} {
		v, err := c.boolean(p.name)
		if err != nil {
			return err
		}
		*p.to = v
	}
	id := petrel.ID(c.path["id"])
	if !id.Valid() {
		return badID(string(id))
	}
	x, _, err := c.execution("execution_view", false)
	if petrel.Is(err, petrel.NotFound) {
		return errNoRoute
	}
	if err != nil {
		return err
	}
	_, result, err := a.masking(x, !c.admin() && !a.cfg.ShowSecrets)
	if err != nil {
		return err
	}
	text := []byte(orEmpty(result))
	if pretty {
		v, err := value.FromJSON(text)
		if err != nil {
			return err
		}
		if text, err = value.ToJSON(v, value.JSONStyle{KeySep: ": ", Pretty: true, Indent: "  "}); err != nil {
			return err
		}
	}
	h := c.w.Header()
	if download {
		name := "execution_" + string(x.ID) + "_result.json"
		if compress {
			name += ".gz"
		}
		h.Set("Content-Disposition", "attachment; filename="+name)
	}
	if !compress {
		return c.raw(http.StatusOK, "text/json", text)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(text); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	h.Set("Content-Encoding", "gzip")
	return c.raw(http.StatusOK, "application/x-gzip", packed.Bytes())
}

// outputPage is how many pieces of output are read at once.
const outputPage = 500

// executionOutput serves GET executions/{id}/output: what was printed so far.
func (a *API) executionOutput(c *call) error {
	kind := c.text("output_type")
	if kind == "all" {
		kind = ""
	}
	x, _, err := c.execution("execution_view", true)
	if err != nil {
		return err
	}
	chunks, err := a.cfg.Store.OutputList(c.ctx(), x.ID, kind, 0, outputPage)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	if len(chunks) == 0 {
		c.w.Header().Set("Content-Length", "0")
	}
	c.begin(http.StatusOK)
	for len(chunks) > 0 {
		for _, chunk := range chunks {
			if _, err := c.w.Write([]byte(chunk.Data)); err != nil {
				return nil // the reader went away
			}
		}
		if len(chunks) < outputPage {
			return nil
		}
		last := chunks[len(chunks)-1].Seq
		if chunks, err = a.cfg.Store.OutputList(c.ctx(), x.ID, kind, last, outputPage); err != nil {
			a.cfg.Log.Error("output could not be read to its end", "request_id", c.requestID, "execution", x.ID, "error", err)
			panic(http.ErrAbortHandler) // the reader must not take what it has for the whole
		}
	}
	return nil
}

// maxChildren bounds how many executions below one are listed.
const maxChildren = 10_000

// executionChildren serves GET executions/{id}/children: all runs below one,
// each before its own children, or in the order they were started.
func (a *API) executionChildren(c *call) error {
	depth, err := c.integer("depth", -1)
	if err != nil {
		return err
	}
	masked, err := c.masked("execution:" + c.path["id"])
	if err != nil {
		return err
	}
	x, _, err := c.execution("execution_view", false)
	if err != nil {
		return err
	}
	found, err := a.descendants(c, x.ID, depth, 1, nil)
	if err != nil {
		return err
	}
	if c.text("result_fmt") == "sorted" {
		slices.SortStableFunc(found, func(x, y petrel.Execution) int { return x.StartedAt.Compare(y.StartedAt) })
	}
	shapes := []object{}
	for _, child := range found {
		shape, err := a.executionShape(child, masked)
		if err != nil {
			return err
		}
		shapes = append(shapes, shape)
	}
	return c.json(http.StatusOK, shapes)
}

func (a *API) descendants(c *call, id petrel.ID, depth, level int64, found []petrel.Execution) ([]petrel.Execution, error) {
	if depth != -1 && level > depth {
		return found, nil
	}
	children, _, err := a.cfg.Store.ExecutionList(c.ctx(), storage.ExecutionFilter{
		Parents: []petrel.ID{id}, Ascending: true, NoTotal: true, Limit: maxChildren + 1,
	})
	if err != nil {
		return nil, err
	}
	for _, child := range children {
		if found = append(found, child); len(found) > maxChildren {
			return nil, petrel.Errorf(petrel.TooLarge, "The execution has more than %d executions below it.", maxChildren)
		}
		if len(child.Children) == 0 {
			continue
		}
		if found, err = a.descendants(c, child.ID, depth, level+1, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// executionFilters serves GET executions/views/filters: the values by which
// executions can be filtered.
func (a *API) executionFilters(c *call) error {
	wanted := c.one("types")
	if wanted != nil {
		wanted = c.list("types")
	}
	out := object{}
	for _, name := range []string{"action", "status", "rule", "runner", "trigger", "trigger_type", "user"} {
		if wanted != nil && !slices.Contains(wanted, name) {
			continue
		}
		switch name {
		case "rule", "trigger", "trigger_type":
			out.add(name, []string{}) // nothing is started by rules yet
			continue
		}
		values, err := a.cfg.Store.ExecutionValues(c.ctx(), name)
		if err != nil {
			return err
		}
		if values == nil {
			values = []string{}
		}
		out.add(name, values)
	}
	return c.json(http.StatusOK, out)
}
