package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// maxFile bounds a configuration file.
const maxFile = 1 << 20

// setting is one leaf of Config.
type setting struct {
	path  string // api.max_page_size
	help  string
	value reflect.Value
}

func settings(c *Config) []setting {
	var all []setting
	var walk func(v reflect.Value, prefix string)
	walk = func(v reflect.Value, prefix string) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			path := prefix + f.Tag.Get("yaml")
			if f.Type.Kind() == reflect.Struct {
				walk(v.Field(i), path+".")
				continue
			}
			all = append(all, setting{path, f.Tag.Get("help"), v.Field(i)})
		}
	}
	walk(reflect.ValueOf(c).Elem(), "")
	return all
}

// Env is the environment variable of a setting's path.
func Env(path string) string {
	return "PETREL_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// set reads a text into a setting: lists are comma separated, times are Go's
// (90s, 5m) or plain seconds.
func (s setting) set(text string) error {
	wrong := func(want string) error { return fmt.Errorf("%s: %q is not %s", s.path, text, want) }
	switch s.value.Interface().(type) {
	case string:
		s.value.SetString(text)
	case bool:
		switch strings.ToLower(text) {
		case "true", "1", "yes", "on":
			s.value.SetBool(true)
		case "false", "0", "no", "off":
			s.value.SetBool(false)
		default:
			return wrong("true or false")
		}
	case time.Duration:
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			s.value.SetInt(int64(n * float64(time.Second)))
			break
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			return wrong("a time such as 90s or 5m")
		}
		s.value.SetInt(int64(d))
	case int, int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return wrong("an integer")
		}
		s.value.SetInt(n)
	case []string:
		list := []string{}
		for _, item := range strings.Split(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		s.value.Set(reflect.ValueOf(list))
	default:
		return fmt.Errorf("%s cannot be set from a text", s.path)
	}
	return nil
}

// readFile reads petrel.yaml; unknown keys are refused.
func readFile(path string, c *Config) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return err
	}
	if len(raw) > maxFile {
		return fmt.Errorf("%s: larger than %d bytes", path, maxFile)
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: one document is expected, there is more than one", path)
	}
	return nil
}

// Load reads the configuration: defaults, then the file (petrel.yaml, or
// StackStorm's when its name ends in .conf; empty takes ./petrel.yaml when there is
// one), then the environment, given as KEY=value lines. The notes are sentences
// for the log, such as which options of st2.conf have no meaning here. The
// result is not yet checked, because flags may come on top.
func Load(file string, environ []string) (Config, []string, error) {
	c := Default()
	var notes []string
	if file == "" {
		if _, err := os.Stat("petrel.yaml"); err == nil {
			file = "petrel.yaml"
		}
	}
	env := map[string]string{}
	for _, line := range environ {
		if k, v, found := strings.Cut(line, "="); found {
			env[k] = v
		}
	}
	switch {
	case strings.HasSuffix(file, ".conf"):
		told, err := readStackStorm(file, env, &c)
		if err != nil {
			return c, nil, err
		}
		notes = append(notes, told...)
	case file != "":
		if err := readFile(file, &c); err != nil {
			return c, nil, err
		}
	}
	if v := env["DATABASE_URL"]; v != "" {
		c.DatabaseURL = v
	}
	if v := env["REDIS_URL"]; v != "" {
		c.RedisURL = v
	}
	for _, s := range settings(&c) {
		if v, given := env[Env(s.path)]; given {
			if err := s.set(v); err != nil {
				return c, nil, fmt.Errorf("%s: %w", Env(s.path), err)
			}
		}
	}
	return c, notes, nil
}

// Describe writes every setting with its default, environment variable and meaning.
func Describe(w io.Writer) error {
	c := Default()
	for _, s := range settings(&c) {
		if _, err := fmt.Fprintf(w, "%-32s %-36s default %v\n    %s\n", s.path, Env(s.path), s.value.Interface(), s.help); err != nil {
			return err
		}
	}
	return nil
}
