package aliases

import (
	"petrel"
	"petrel/expr/value"
)

// Answer is what an alias says about one of its two answers: ack, when the run
// was accepted, or result, when it ended.
type Answer struct {
	Enabled   bool
	Format    string
	HasFormat bool
	Extra     *value.Dict // nil for none
	// AppendURL says whether the link to the run is added to an acknowledgement;
	// Set tells that the author wrote it.
	AppendURL, AppendURLSet bool
}

// Ack is the alias's acknowledgement.
func Ack(a *petrel.Alias) Answer { return answer(a.Ack) }

// Result is the alias's answer to the end of the run.
func Result(a *petrel.Alias) Answer { return answer(a.Result) }

func answer(raw petrel.JSON) Answer {
	out := Answer{Enabled: true}
	d := object(raw)
	if d == nil {
		return out
	}
	if v, ok := d.Get("enabled"); ok {
		out.Enabled, _ = value.Truth(nil, v)
	}
	if v, ok := d.Get("format"); ok && v != nil {
		out.Format, out.HasFormat = value.AsString(v)
	}
	if v, ok := d.Get("extra"); ok {
		out.Extra, _ = v.(*value.Dict)
	}
	if v, ok := d.Get("append_url"); ok {
		out.AppendURL, _ = value.Truth(nil, v)
		out.AppendURLSet = true
	}
	return out
}

// Runs says whether the alias starts the action that its line names, and not
// its own: `st2 run`. Such an alias carries extra: {petrel: {run: true}}.
func Runs(a *petrel.Alias) bool {
	extra := object(a.Extra)
	if extra == nil {
		return false
	}
	own, _ := extra.Get("petrel")
	settings, ok := own.(*value.Dict)
	if !ok {
		return false
	}
	run, _ := settings.Get("run")
	return run == true
}

// object reads a JSON object; nil for anything else.
func object(raw petrel.JSON) *value.Dict {
	if len(raw) == 0 {
		return nil
	}
	v, err := value.FromJSON(raw)
	if err != nil {
		return nil
	}
	d, _ := v.(*value.Dict)
	return d
}
