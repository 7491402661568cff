package runners

import (
	"errors"
	"fmt"
	"math"
	"time"

	"petrel"
	"petrel/expr/value"
)

// Failed is the outcome of a run that ended with an error of the runner
// itself: the error's text and, in place of Python's traceback, the line that
// would end one.
func Failed(err error) Outcome {
	text := err.Error()
	var told *petrel.Error
	if errors.As(err, &told) {
		text = told.Message
	}
	return Outcome{Status: petrel.StatusFailed, Result: value.DictOf("error", text, "traceback", value.ErrorClass(err)+": "+text+"\n")}
}

// Interrupted is the status of a job whose context was canceled for a cause:
// only a person cancels; everything else leaves the outcome open.
func Interrupted(cause error) petrel.Status {
	if errors.Is(cause, ErrCanceled) {
		return petrel.StatusCanceled
	}
	return petrel.StatusAbandoned
}

// CheckEnabled is the error of a job whose runner an administrator switched
// off.
func CheckEnabled(job *Job) error {
	if job.Runner.Name != "" && !job.Runner.Enabled {
		return petrel.Errorf(petrel.Invalid, "Runner \"%s\" has been disabled by the administrator.", job.Runner.Name)
	}
	return nil
}

// Parameter reads a parameter of the runner; nil when it is not there.
func (j *Job) Parameter(name string) value.Value { return parameter(j.RunnerParameters, name) }

// ActionParameter reads a parameter of the action; nil when it is not there.
func (j *Job) ActionParameter(name string) value.Value { return parameter(j.ActionParameters, name) }

func parameter(d *value.Dict, name string) value.Value {
	if d == nil {
		return nil
	}
	v, _ := d.GetStr(name)
	return v
}

// Text reads a runner parameter as text, empty when it is absent or None.
func (j *Job) Text(name string) (string, error) {
	v := j.Parameter(name)
	if v == nil {
		return "", nil
	}
	if text, ok := value.AsString(v); ok {
		return text, nil
	}
	return "", petrel.Errorf(petrel.Invalid, "parameter %s must be a string, it is a %s", name, value.TypeName(v))
}

// Flag reads a runner parameter as a truth value.
func (j *Job) Flag(name string) bool {
	truth, err := value.Truth(nil, j.Parameter(name))
	return err == nil && truth
}

// Variables reads a runner parameter that maps names to texts, such as env.
func (j *Job) Variables(name string) (map[string]string, error) {
	v := j.Parameter(name)
	if v == nil {
		return nil, nil
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return nil, petrel.Errorf(petrel.Invalid, "parameter %s must be an object, it is a %s", name, value.TypeName(v))
	}
	out := make(map[string]string, d.Len())
	for key, item := range d.All() {
		text, err := value.ToStr(nil, item)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", name, err)
		}
		if item != nil {
			out[value.Str(key)] = text
		}
	}
	return out, nil
}

// Timeout reads the runner's parameter timeout, which is in seconds. A missing
// one takes the default; None means that there is none. The text is the
// number as messages show it.
func (j *Job) Timeout(otherwise time.Duration) (*time.Duration, string, error) {
	var given value.Value
	found := false
	if j.RunnerParameters != nil {
		given, found = j.RunnerParameters.GetStr("timeout")
	}
	if !found {
		return &otherwise, value.Str(int64(otherwise / time.Second)), nil
	}
	if given == nil {
		return nil, "None", nil
	}
	seconds, err := value.ToFloat(given)
	if err != nil || math.IsNaN(seconds) {
		return nil, "", petrel.Errorf(petrel.Invalid, "parameter timeout: %s is not a number of seconds", value.Repr(given))
	}
	// Longer than a century is as good as for ever, and does not overflow.
	d := time.Duration(min(max(seconds, 0), 100*365*24*3600) * float64(time.Second))
	return &d, value.Str(given), nil
}

// Schemas are the schemas of the action's parameters in their order; nil when
// it has none.
func (j *Job) Schemas() (*value.Dict, error) {
	if len(j.Action.Parameters) == 0 {
		return nil, nil
	}
	v, err := value.FromJSON(j.Action.Parameters)
	if err != nil {
		return nil, fmt.Errorf("parameters of the action: %w", err)
	}
	d, _ := v.(*value.Dict)
	return d, nil
}
