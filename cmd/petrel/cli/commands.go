package cli

import (
	"strings"

	"petrel/cmd/petrel/cli/argparse"
)

// std are the flags of almost every command.
func std(help bool) []argparse.Option {
	all := []argparse.Option{
		{Names: []string{"-t", "--token"}, Arity: argparse.One, Help: "Access token for user authentication. Get ST2_AUTH_TOKEN from the environment variables by default."},
		{Names: []string{"--api-key"}, Arity: argparse.One, Help: "Api Key for user authentication. Get ST2_API_KEY from the environment variables by default."},
		{Names: []string{"-j", "--json"}, Help: "Print output in JSON format."},
		{Names: []string{"-y", "--yaml"}, Help: "Print output in YAML format."},
	}
	if help {
		all = append([]argparse.Option{{Names: []string{"-h", "--help"}, Help: "show this help message and exit"}}, all...)
	}
	return all
}

var attrOption = argparse.Option{Names: []string{"-a", "--attr"}, Arity: argparse.OneOrMore, Help: `List of attributes to include in the output. "all" will return all attributes.`}
var getAttrOption = argparse.Option{Names: []string{"-a", "--attr"}, Arity: argparse.OneOrMore, Help: `List of attributes to include in the output. "all" or unspecified will return all attributes.`}
var widthOption = argparse.Option{Names: []string{"-w", "--width"}, Arity: argparse.OneOrMore, Int: true, Help: "Set the width of columns in output."}
var packOption = argparse.Option{Names: []string{"-p", "--pack"}, Arity: argparse.One, Help: "Only return resources belonging to the provided pack"}

func lastOption(things string) argparse.Option {
	return argparse.Option{Names: []string{"-n", "--last"}, Arity: argparse.One, Int: true, Help: "List N most recent " + things + ". Use -n -1 to fetch the full result set."}
}

// runOptions are the flags of run and its likes. In --help the first few are
// missing, as in st2.
func runOptions() []argparse.Option {
	const group = "run"
	return []argparse.Option{
		{Names: []string{"--with-schema"}, Hidden: true},
		{Names: []string{"--raw"}, Hidden: true},
		{Names: []string{"--show-tasks"}, Hidden: true},
		{Names: []string{"--depth"}, Arity: argparse.One, Int: true, Hidden: true},
		{Names: []string{"-w", "--width"}, Arity: argparse.OneOrMore, Int: true, Hidden: true},
		{Names: []string{"--attr"}, Arity: argparse.OneOrMore, Group: group, Help: `List of attributes to include in the output. "all" or unspecified will return all attributes.`},
		{Names: []string{"-d", "--detail"}, Group: group, Help: "Display full detail of the execution in table format."},
		{Names: []string{"-k", "--key"}, Arity: argparse.One, Group: group, Help: "If result is type of JSON, then print specific key-value pair; dot notation for nested JSON is supported."},
		{Names: []string{"--delay"}, Arity: argparse.One, Int: true, Group: group, Help: "How long (in milliseconds) to delay the execution before scheduling."},
		{Names: []string{"--tail"}, Group: group, Help: "Automatically start tailing new execution."},
		{Names: []string{"--auto-dict"}, Group: group, Help: "Automatically convert list items to dictionaries when colons are detected. (NOTE - this parameter and its functionality will be deprecated in the next release in favor of a more robust conversion method)"},
	}
}

// runGroupUsage is how argparse of Python 3.11 writes the nested group.
const runGroupUsage = "[[--attr ATTR [ATTR ...] | -d | [-k KEY | --delay DELAY |] --tail | --auto-dict]]"

func options2(groups ...[]argparse.Option) []argparse.Option {
	var all []argparse.Option
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

var helpForAction = argparse.Option{Names: []string{"-h", "--help"}, Help: "Print usage for the given action."}

func runSpec() argparse.Spec {
	return argparse.Spec{
		Description: "Invoke an action manually.",
		GroupUsage:  runGroupUsage,
		Options: options2(std(false), []argparse.Option{helpForAction}, runOptions(), []argparse.Option{
			{Names: []string{"--trace-tag", "--trace_tag"}, Arity: argparse.One, Help: "A trace tag string to track execution later."},
			{Names: []string{"--trace-id"}, Arity: argparse.One, Help: "Existing trace id for this execution."},
			{Names: []string{"-a", "--async"}, Help: "Do not wait for action to finish."},
			{Names: []string{"-e", "--inherit-env"}, Help: `Pass all the environment variables which are accessible to the CLI as "env" parameter to the action. Note: Only works with python, local and remote runners.`},
			{Names: []string{"-u", "--user"}, Arity: argparse.One, Help: "User under which to run the action (admins only)."},
		}),
		Positionals: []argparse.Positional{
			{Name: "ref-or-id", Arity: argparse.Optional, Help: "Action reference (pack.action_name) or ID of the action."},
			{Name: "parameters", Arity: argparse.ZeroOrMore, Help: "List of keyword args, positional args, and optional args for the action."},
		},
	}
}

// branch is a top-level word with its sentence, in st2's order.
type branch struct{ word, help string }

var tree = []branch{
	{"run", "Invoke an action manually."},
	{"action", "An activity that happens as a response to the external event."},
	{"action-alias", "Action aliases."},
	{"auth", "Authenticate user and acquire access token."},
	{"login", "Authenticate user, acquire access token, and update CLI config directory"},
	{"whoami", "Display the currently authenticated user"},
	{"apikey", "API Keys."},
	{"execution", "An invocation of an action."},
	{"pack", "A group of related integration resources: actions, rules, and sensors."},
	{"runner", "Runner is a type of handler for a specific class of actions."},
}

// topWords are all of st2's top-level words in its order: they are what its usage
// text lists. Those without a branch in the tree belong to nouns that this
// version does not have; using one is refused with that sentence.
var topWords = []branch{
	{"run", ""}, {"action", ""}, {"action-alias", ""}, {"auth", ""}, {"login", ""}, {"whoami", ""}, {"apikey", ""}, {"execution", ""},
	{"inquiry", "Inquiries provide an opportunity to ask a question and wait for a response in a workflow."},
	{"key", "Key value pair is used to store commonly used configuration for reuse in sensors, actions, and rules."},
	{"pack", ""},
	{"policy", "Policy that is enforced on a resource."},
	{"policy-type", "Type of policy that can be applied to resources."},
	{"rule", `A specification to invoke an "action" on a "trigger" selectively based on some criteria.`},
	{"webhook", "Webhooks."}, {"timer", "Timers."}, {"runner", ""},
	{"sensor", "An adapter which allows you to integrate StackStorm with external system."},
	{"trace", "A group of executions, rules and triggerinstances that are related."},
	{"trigger", "An external event that is mapped to a st2 input. It is the st2 invocation point."},
	{"trigger-instance", "Actual instances of triggers received by st2."},
	{"rule-enforcement", "Models that represent enforcement of rules."},
	{"workflow", "Commands for workflow authoring related operations. Only orquesta workflows are supported."},
	{"service-registry", "Service registry group and membership related commands."},
	{"role", "RBAC roles."}, {"role-assignment", "RBAC role assignments."},
}

func branches() []string {
	all := make([]string, len(topWords))
	for i, b := range topWords {
		all[i] = b.word
	}
	return all
}

// about is a top-level word's sentence.
func about(word string) string {
	for _, b := range append(append([]branch{}, tree...), topWords...) {
		if b.word == word && b.help != "" {
			return b.help
		}
	}
	return ""
}

// commands are all of st2's that this version has.
var commands = buildCommands()

func buildCommands() []*command {
	var all []*command
	add := func(c ...*command) { all = append(all, c...) }
	add(&command{words: []string{"run"}, spec: runSpec(), run: runAction})
	for _, c := range resourceCommands(&actionResource) {
		if add(c); c.words[1] == "delete" {
			add(actionCloneCommand())
		}
	}
	add(&command{words: []string{"action", "execute"}, spec: runSpec(), run: executeAction})
	add(resourceCommands(&aliasResource)...)
	add(aliasCommands()...)
	add(loginCommands()...)
	add(apiKeyCommands()...)
	add(executionCommands()...)
	add(resourceCommands(&packResource)...)
	add(packCommands()...)
	add(resourceCommands(&runnerResource)...)
	return all
}

// find is the command that words begin with, and the words behind it.
func find(words []string) (*command, []string, bool) {
	for _, c := range commands {
		if len(words) >= len(c.words) && strings.Join(words[:len(c.words)], "\x00") == strings.Join(c.words, "\x00") {
			return c, words[len(c.words):], true
		}
	}
	return nil, nil, false
}

// leaves are the sub-commands of a branch in their order.
func leaves(word string) []*command {
	var all []*command
	for _, c := range commands {
		if c.words[0] == word && len(c.words) == 2 {
			all = append(all, c)
		}
	}
	return all
}
