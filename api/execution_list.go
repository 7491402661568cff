package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"petrel"
	"petrel/storage"
)

var executionRules = listRules{
	defaultLimit: 100,
	sortable: []string{
		"id", "name", "action", "status", "liveaction", "parent", "rule", "runner", "timestamp",
		"trigger", "trigger_type", "trigger_instance", "user", "timestamp_gt", "timestamp_lt",
	},
	fields: executionFields,
}

// listBatch is how many executions are read at once for one answer.
const listBatch = 200

// executionList serves GET executions.
func (a *API) executionList(c *call) error {
	p, err := c.page(executionRules)
	if err != nil {
		return err
	}
	masked, err := c.masked("execution:list")
	if err != nil {
		return err
	}
	f, none, err := c.executionFilter(p)
	if err != nil {
		return err
	}
	if none {
		c.counted(0, p)
		return c.json(http.StatusOK, []object{})
	}
	f.OmitResult = !p.pick.wants("result")
	left := p.limit // 0: all
	f.Limit, f.Offset = listBatch, p.offset
	if left > 0 {
		f.Limit = min(left, listBatch)
	}
	items, total, err := a.cfg.Store.ExecutionList(c.ctx(), f)
	if err != nil {
		return err
	}
	c.counted(total, p)
	// A page can hold many large results, so it is written piece by piece and
	// never stands in memory as a whole.
	c.w.Header().Set("Content-Type", "application/json")
	buf := []byte{'['}
	count := 0
	for {
		for _, x := range items {
			shape, err := a.executionShape(x, masked)
			if err != nil {
				return c.abandon(err)
			}
			if count > 0 {
				buf = append(buf, ',')
			}
			if buf, err = appendJSON(buf, p.pick.apply(shape)); err != nil {
				return c.abandon(err)
			}
			count++
		}
		if len(items) < f.Limit || left > 0 && count >= left {
			break
		}
		if !c.flush(buf) {
			return nil
		}
		buf = buf[:0]
		if left > 0 {
			f.Limit = min(left-count, listBatch)
		}
		f.Offset = p.offset + count
		if f.OrderBy == "" {
			f.AfterID, f.Offset = items[len(items)-1].ID, 0
		}
		f.NoTotal = true
		if items, _, err = a.cfg.Store.ExecutionList(c.ctx(), f); err != nil {
			return c.abandon(err)
		}
	}
	c.flush(append(buf, ']'))
	return nil
}

// flush writes a piece of an answer; false says that the client went away.
func (c *call) flush(text []byte) bool {
	if c.status == 0 {
		c.begin(http.StatusOK)
	}
	_, err := c.w.Write(text)
	return err == nil
}

// abandon ends an answer that has begun so that the client does not take it for
// whole; one that has not begun becomes an error.
func (c *call) abandon(err error) error {
	if c.status == 0 {
		return err
	}
	c.a.cfg.Log.Error("an answer broke off", "request_id", c.requestID, "error", err)
	panic(http.ErrAbortHandler)
}

// executionFilter reads the filters of GET executions; none says that nothing
// can pass.
func (c *call) executionFilter(p listPage) (f storage.ExecutionFilter, none bool, err error) {
	f.IDs = p.ids
	values := map[string]string{}
	for _, name := range []string{"action", "status", "liveaction", "parent", "rule", "runner", "timestamp", "trigger", "trigger_type", "trigger_instance", "user"} {
		values[name] = c.text(name)
	}
	// A filter text overrides the parameters of the same field.
	if text := c.text("filter"); text != "" {
		words := strings.Split(text, " ")
		if len(words) > maxFilterItems {
			return f, false, petrel.Errorf(petrel.Invalid, "filter holds %d words, at most %d are taken", len(words), maxFilterItems)
		}
		for _, word := range words {
			path, val, ok := strings.Cut(word, ":")
			if !ok {
				return f, false, petrel.Errorf(petrel.Invalid, "invalid format for filter \"%s\"", cutText(word))
			}
			name, err := filterName(path)
			if err != nil {
				return f, false, err
			}
			if name == "id" {
				if !petrel.ID(val).Valid() {
					return f, false, badID(val)
				}
				f.IDs = []petrel.ID{petrel.ID(val)}
				continue
			}
			values[name] = val
		}
	}
	for name, val := range values {
		if val == "" {
			continue
		}
		null := strings.EqualFold(val, "null")
		switch name {
		case "rule", "trigger", "trigger_type", "trigger_instance":
			none = none || !null // nothing is started by rules yet
		case "parent":
			if null {
				f.TopLevel = true
			} else {
				f.Parents = []petrel.ID{petrel.ID(val)}
			}
		case "timestamp":
			if null {
				none = true
				continue
			}
			if f.From, f.To, f.Ascending, err = timeRange(val); err != nil {
				return f, false, err
			}
		case "action":
			f.ActionRefs = []petrel.Ref{petrel.Ref(val)}
		case "status":
			f.Statuses = []petrel.Status{petrel.Status(val)}
		case "liveaction":
			f.LiveActionIDs = []petrel.ID{petrel.ID(val)}
		case "runner":
			f.Runners = []string{val}
		case "user":
			f.Users = []string{val}
		}
		if null && !slices.Contains([]string{"rule", "trigger", "trigger_type", "trigger_instance", "parent"}, name) {
			none = true // every execution has these
		}
	}
	for _, b := range []struct {
		name string
		to   *time.Time
	}{{"timestamp_gt", &f.After}, {"timestamp_lt", &f.Before}} {
		if text := c.text(b.name); text != "" {
			if *b.to, err = timeOf(text); err != nil {
				return f, false, err
			}
		}
	}
	switch {
	case c.text("timestamp_lt") != "" || c.text("sort_desc") != "":
		f.Ascending = false
	case c.text("timestamp_gt") != "" || c.text("sort_asc") != "":
		f.Ascending = true
	}
	for _, k := range p.sort {
		switch k.name {
		case "timestamp", "timestamp_gt", "timestamp_lt":
			f.OrderBy, f.Ascending = "", !k.desc
		case "id", "action", "status", "runner", "user", "parent", "liveaction":
			f.OrderBy, f.Ascending = k.name, !k.desc
		default:
			continue // a field that no execution has
		}
		break
	}
	return f, none, nil
}

// filterFields are the dotted fields a filter text may name, and the
// parameters they are the same as.
var filterFields = map[string]string{
	"id": "id", "action.ref": "action", "status": "status", "liveaction.id": "liveaction", "parent": "parent",
	"rule.name": "rule", "runner.name": "runner", "start_timestamp": "timestamp", "trigger.name": "trigger",
	"trigger_type.name": "trigger_type", "trigger_instance.id": "trigger_instance", "context.user": "user",
}

func filterName(path string) (string, error) {
	if name, ok := filterFields[path]; ok {
		return name, nil
	}
	first, _, _ := strings.Cut(path, ".")
	if !slices.Contains(executionFields.known, first) {
		return "", petrel.Errorf(petrel.Invalid, "Cannot resolve field \"%s\"", cutText(first))
	}
	return "", petrel.Errorf(petrel.Invalid, "Executions cannot be filtered by \"%s\". Fields that can be used are: %s", cutText(path), fieldNames())
}

func fieldNames() string {
	names := make([]string, 0, len(filterFields))
	for name := range filterFields {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// timeOf reads a time; the error is StackStorm's.
func timeOf(text string) (time.Time, error) {
	at, err := petrel.ParseTime(text)
	if err != nil {
		return at, petrel.Wrap(petrel.Invalid, err, "Datetime value does not match expected format.")
	}
	return at, nil
}

// timeRange reads one time or t1..t2; a range whose first time is the later
// one is shown newest first.
func timeRange(text string) (from, to time.Time, ascending bool, err error) {
	first, second, isRange := strings.Cut(text, "..")
	if from, err = timeOf(first); err != nil {
		return from, to, false, err
	}
	if !isRange {
		return from, from, false, nil
	}
	if to, err = timeOf(second); err != nil {
		return from, to, false, err
	}
	if from.After(to) {
		return to, from, false, nil
	}
	return from, to, true, nil
}
