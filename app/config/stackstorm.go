package config

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"gopkg.in/ini.v1"
)

// stackstorm maps options of st2.conf, "section.option", to settings. Units
// differ for some, which convert puts right.
// st2: conf/st2.conf.sample, st2common/st2common/config.py
var stackstorm = map[string]struct {
	path    string
	convert func(string) (string, error)
}{
	"actionrunner.actions_pool_size":         {"actions.slots", nil},
	"actionrunner.exit_still_active_check":   {"actions.grace", nil},
	"actionrunner.python_binary":             {"actions.python_binary", nil},
	"actionrunner.python_runner_log_level":   {"actions.python_log_level", nil},
	"actionrunner.stream_output":             {"actions.stream_output", nil},
	"api.allow_origin":                       {"api.allow_origin", nil},
	"api.mask_secrets":                       {"api.mask_secrets", nil},
	"api.max_page_size":                      {"api.max_page_size", nil},
	"api.auth_cookie_secure":                 {"api.auth_cookie_secure", nil},
	"api.auth_cookie_same_site":              {"api.auth_cookie_same_site", nil},
	"auth.enable":                            {"auth.enable", nil},
	"auth.mode":                              {"auth.mode", nil},
	"auth.api_url":                           {"api.public_url", nil},
	"auth.token_ttl":                         {"auth.token_ttl", nil},
	"auth.service_token_ttl":                 {"auth.service_token_ttl", nil},
	"auth.backend_kwargs":                    {"auth.htpasswd", htpasswdPath},
	"content.packs_base_paths":               {"content.packs_base_paths", colons},
	"content.system_packs_base_path":         {"content.system_packs_base_path", nil},
	"garbagecollector.action_executions_ttl": {"retention.executions", days},
	"garbagecollector.tokens_ttl":            {"retention.tokens", days},
	"log.mask_secrets":                       {"log.mask_secrets", nil},
	"log.mask_secrets_blacklist":             {"log.mask_secrets_blacklist", nil},
	"stream.heartbeat":                       {"stream.heartbeat", nil},
	"system.validate_output_schema":          {"actions.validate_output_schema", nil},
	"system.debug": {"log.level", func(v string) (string, error) {
		return map[bool]string{true: "debug", false: "info"}[strings.EqualFold(v, "true")], nil
	}},
	"system_user.user":         {"system_user.user", nil},
	"system_user.ssh_key_file": {"system_user.ssh_key_file", nil},
	"webui.webui_base_url":     {"webui.webui_base_url", nil},
}

// later names the sections whose options will act when the part they belong to
// is there; they are told apart from those that never will.
var later = []string{"action_sensor", "keyvalue", "rbac", "rulesengine", "sensorcontainer", "ssh_runner", "timersengine", "workflow_engine", "notifier"}

func colons(v string) (string, error) { return strings.ReplaceAll(v, ":", ","), nil }

func days(v string) (string, error) {
	if v == "" || strings.EqualFold(v, "none") {
		return "0", nil
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return "", fmt.Errorf("%q is not a number of days", v)
	}
	return time.Duration(n * 24 * float64(time.Hour)).String(), nil
}

func htpasswdPath(v string) (string, error) {
	if v == "" || strings.EqualFold(v, "none") {
		return "", nil
	}
	var kwargs struct {
		FilePath string `json:"file_path"`
	}
	// The text may hold passwords of other backends, so it is not shown.
	if err := json.Unmarshal([]byte(v), &kwargs); err != nil {
		return "", fmt.Errorf("is not a JSON object")
	}
	return kwargs.FilePath, nil
}

// readStackStorm reads st2.conf and the ST2_<SECTION>__<OPTION> variables,
// which go before the file. Each option without meaning here is told once.
func readStackStorm(path string, env map[string]string, c *Config) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxFile)
	}
	file, err := ini.LoadSources(ini.LoadOptions{AllowBooleanKeys: true, IgnoreInlineComment: true, KeyValueDelimiters: "="}, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	given := map[string]string{}
	for _, section := range file.Sections() {
		for _, key := range section.Keys() {
			given[strings.ToLower(section.Name())+"."+strings.ToLower(key.Name())] = strings.TrimSpace(key.Value())
		}
	}
	for name, v := range env {
		if rest, found := strings.CutPrefix(name, "ST2_"); found {
			if section, option, found := strings.Cut(rest, "__"); found {
				given[strings.ToLower(section)+"."+strings.ToLower(option)] = v
			}
		}
	}
	byPath := map[string]setting{}
	for _, s := range settings(c) {
		byPath[s.path] = s
	}
	names := make([]string, 0, len(given))
	for name := range given {
		names = append(names, name)
	}
	sort.Strings(names)
	var notes []string
	for _, name := range names {
		target, known := stackstorm[name]
		if !known {
			section, _, _ := strings.Cut(name, ".")
			why := "has no meaning here"
			for _, s := range later {
				if s == section {
					why = "does not act yet in this version"
				}
			}
			notes = append(notes, fmt.Sprintf("%s: the option %s is ignored: it %s", path, name, why))
			continue
		}
		value := given[name]
		if target.convert != nil {
			if value, err = target.convert(value); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", path, name, err)
			}
		}
		if strings.EqualFold(value, "none") {
			value = ""
		}
		if err := byPath[target.path].set(value); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, name, err)
		}
	}
	if host, port := given["api.host"], given["api.port"]; host != "" || port != "" {
		if host == "" {
			host = "127.0.0.1"
		}
		if port == "" {
			port = "9101"
		}
		c.Listen = host + ":" + port
	}
	if base := given["system.base_path"]; base != "" {
		c.Content.SystemPacksBasePath = base + "/packs"
		c.Content.ConfigsPath = base + "/configs"
		c.Content.VirtualenvsPath = base + "/virtualenvs"
		notes = removeNote(notes, "system.base_path")
	}
	notes = removeNote(removeNote(notes, "api.host"), "api.port")
	return notes, nil
}

func removeNote(notes []string, option string) []string {
	kept := notes[:0]
	for _, n := range notes {
		if !strings.Contains(n, "option "+option+" ") {
			kept = append(kept, n)
		}
	}
	return kept
}
