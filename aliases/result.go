package aliases

import (
	"math"
	"strconv"
	"strings"

	"petrel/expr/value"
)

// DefaultResult is the text about a run that ended when its alias has no
// format of its own. The execution is what the API shows of it.
// st2: the semantics of contrib/chatops/actions/templates/default.j2
func DefaultResult(execution *value.Dict) string {
	head, body := DefaultParts(execution)
	if body == "" {
		return head
	}
	return head + "\n" + body
}

// DefaultParts is the default text in two: what ran and how it ended, and the
// result, empty when there is none.
func DefaultParts(execution *value.Dict) (head, body string) {
	var b strings.Builder
	b.WriteString("Action " + show(dig(execution, "action", "ref")) + " completed.\n")
	b.WriteString("status : " + show(dig(execution, "status")) + "\n")
	b.WriteString("execution: " + show(dig(execution, "id")) + "\n")
	if url := dig(execution, "web_url"); truthy(url) {
		b.WriteString("\nweb_url: " + show(url) + "\n")
	}
	if elapsed := dig(execution, "elapsed_seconds"); truthy(elapsed) {
		b.WriteString("\nTook " + HumanSeconds(elapsed) + " to complete.\n")
	}
	result := dig(execution, "result")
	if !truthy(result) {
		return b.String(), ""
	}
	return b.String(), "result :\n--------\n" + resultText(show(dig(execution, "runner", "name")), result)
}

// resultText shows the part of a result that people look for, by the family
// of the runner.
func resultText(runner string, result value.Value) string {
	d, ok := result.(*value.Dict)
	if !ok {
		return show(result) + "\n"
	}
	var b strings.Builder
	family := func(names ...string) {
		for _, name := range names {
			if _, ok := d.Get(name); ok {
				serialize(&b, selected(d, names...), "", 0)
				return
			}
		}
		// A run that never came to its action, such as a canceled one, has another result.
		serialize(&b, d, "", 0)
	}
	switch runner {
	case "python-script", "windows-cmd", "windows-script":
		family("result", "stdout", "stderr", "exit_code")
	case "local-shell-cmd", "local-shell-script":
		family("stdout", "stderr", "return_code", "error")
	case "remote-shell-cmd", "remote-shell-script":
		for host, v := range d.All() {
			b.WriteString(value.KeyText(host) + " : ")
			if answer, ok := v.(*value.Dict); ok {
				b.WriteByte('\n')
				serialize(&b, selected(answer, "stdout", "stderr", "return_code", "error"), "  ", 0)
			} else {
				b.WriteString(show(v) + "\n")
			}
		}
	default:
		serialize(&b, d, "", 0)
	}
	return b.String()
}

// selected are the named keys that hold something, in the order of the result.
func selected(d *value.Dict, names ...string) *value.Dict {
	out := value.NewDict()
	for k, v := range d.All() {
		for _, name := range names {
			if k == name && truthy(v) {
				out.Set(k, v)
			}
		}
	}
	return out
}

func serialize(b *strings.Builder, d *value.Dict, prefix string, depth int) {
	for k, v := range d.All() {
		b.WriteString(prefix + value.KeyText(k) + " : ")
		switch x := v.(type) {
		case *value.Dict:
			if depth >= maxRenderDepth {
				b.WriteString("...\n")
				continue
			}
			b.WriteByte('\n')
			serialize(b, x, prefix+"  ", depth+1)
		case string:
			if text := strings.TrimFunc(x, pySpace); strings.Contains(text, "\n") {
				b.WriteString("\n" + prefix + "  " + text + "\n")
			} else {
				b.WriteString(text + "\n")
			}
		default:
			b.WriteString(strings.TrimFunc(show(v), pySpace) + "\n")
		}
	}
}

func dig(v value.Value, path ...string) value.Value {
	for _, key := range path {
		d, ok := v.(*value.Dict)
		if !ok {
			return nil
		}
		v, _ = d.Get(key)
	}
	return v
}

func truthy(v value.Value) bool {
	t, err := value.Truth(nil, v)
	return err == nil && t
}

// show is str(v).
func show(v value.Value) string { return value.Str(v) }

// HumanSeconds writes a time as StackStorm's to_human_time_from_seconds does,
// 1h0m5s; under a second with fractions (there StackStorm writes the seconds
// and calls them microseconds).
func HumanSeconds(v value.Value) string {
	var seconds float64
	switch x := v.(type) {
	case int64:
		seconds = float64(x)
	case float64:
		seconds = x
	default:
		return show(v)
	}
	if seconds <= 0 {
		return "0s"
	}
	if seconds < 1 {
		return strconv.FormatFloat(math.Ceil(seconds*1000)/1000, 'f', -1, 64) + "s"
	}
	left := int64(math.RoundToEven(seconds))
	var b strings.Builder
	for _, unit := range []struct {
		name string
		size int64
	}{{"y", 365 * 24 * 3600}, {"d", 24 * 3600}, {"h", 3600}, {"m", 60}} {
		if n := left / unit.size; n > 0 || b.Len() > 0 {
			b.WriteString(strconv.FormatInt(n, 10) + unit.name)
			left %= unit.size
		}
	}
	b.WriteString(strconv.FormatInt(left, 10) + "s")
	return b.String()
}
