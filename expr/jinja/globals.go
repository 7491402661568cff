package jinja

import (
	"math/rand/v2"
	"strings"

	"petrel/expr/value"
)

// maxRange is the sandbox's own limit of range().
const maxRange = 100000

func builtinGlobals() map[string]value.Value {
	return map[string]value.Value{
		"range":     value.NewFunc("range", globalRange),
		"dict":      value.NewFunc("dict", globalDict),
		"lipsum":    value.NewFunc("lipsum", lipsum),
		"cycler":    value.NewFunc("cycler", newCycler),
		"joiner":    value.NewFunc("joiner", newJoiner),
		"namespace": value.NewFunc("namespace", newNamespace),
	}
}

func globalRange(c *value.Call) (value.Value, error) {
	if len(c.Kwargs) > 0 {
		return nil, value.TypeErrorf("range() takes no keyword arguments")
	}
	if len(c.Args) == 0 {
		return nil, value.TypeErrorf("range expected at least 1 argument, got 0")
	}
	if len(c.Args) > 3 {
		return nil, value.TypeErrorf("range expected at most 3 arguments, got %d", len(c.Args))
	}
	n := [3]int64{0, 0, 1}
	for i, a := range c.Args {
		v, err := value.Index(a)
		if err != nil {
			return nil, err
		}
		n[i] = v
	}
	if len(c.Args) == 1 {
		n[0], n[1] = 0, n[0]
	}
	// Values near the ends of int64 come from clamped big ints; they are far
	// above the limit in any case.
	const far = 1 << 62
	for i := range n {
		n[i] = max(min(n[i], far), -far)
	}
	r, err := value.NewRange(n[0], n[1], n[2])
	if err != nil {
		return nil, err
	}
	if r.Len() > maxRange {
		return nil, value.Errorf("OverflowError", "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
	}
	return r, nil
}

func globalDict(c *value.Call) (value.Value, error) {
	if len(c.Args) > 1 {
		return nil, value.TypeErrorf("dict expected at most 1 argument, got %d", len(c.Args))
	}
	d := value.NewDict()
	if len(c.Args) == 1 {
		if err := value.UpdateDict(c.Budget, d, c.Args[0]); err != nil {
			return nil, err
		}
	}
	for _, k := range c.Kwargs {
		d.Set(k.Name, k.Value)
	}
	return d, c.Budget.AllocItems(int64(2 * len(c.Kwargs)))
}

func newCycler(c *value.Call) (value.Value, error) {
	if len(c.Kwargs) > 0 {
		return nil, value.TypeErrorf("Cycler.__init__() got an unexpected keyword argument %s", value.Quote(c.Kwargs[0].Name))
	}
	if len(c.Args) == 0 {
		return nil, value.Errorf("RuntimeError", "at least one item has to be provided")
	}
	return &cycler{items: append([]value.Value(nil), c.Args...)}, nil
}

func newJoiner(c *value.Call) (value.Value, error) {
	a, err := c.Bind("Joiner.__init__", opt("sep", ", "))
	if err != nil {
		return nil, err
	}
	return &joiner{sep: a[0]}, nil
}

func newNamespace(c *value.Call) (value.Value, error) {
	d, err := globalDict(c)
	if err != nil {
		return nil, err
	}
	return &namespace{d.(*value.Dict)}, nil
}

var lipsumWords = strings.Fields(`a ac accumsan ad adipiscing aenean aliquam aliquet amet ante aptent arcu at auctor augue bibendum
blandit class commodo condimentum congue consectetuer consequat conubia convallis cras cubilia cum curabitur curae cursus dapibus
diam dictum dictumst dignissim dis dolor donec dui duis egestas eget eleifend elementum elit enim erat eros est et etiam eu euismod
facilisi facilisis fames faucibus felis fermentum feugiat fringilla fusce gravida habitant hac hendrerit iaculis id imperdiet in
integer interdum ipsum justo lacinia lacus laoreet lectus leo libero ligula litora lobortis lorem luctus maecenas magna magnis
malesuada massa mattis mauris metus mi molestie mollis montes morbi mus nam nascetur natoque nec neque netus nibh nisi nisl non
nulla nullam nunc odio orci ornare parturient pede pellentesque penatibus per pharetra phasellus placerat platea porta porttitor
posuere potenti praesent pretium primis proin pulvinar purus quam quis quisque rhoncus ridiculus risus rutrum sagittis sapien
scelerisque sed sem semper senectus sit sociis sodales sollicitudin suscipit suspendisse taciti tellus tempor tempus tincidunt
torquent tortor tristique turpis ullamcorper ultrices ultricies urna ut varius vehicula vel velit venenatis vestibulum vitae
vivamus viverra volutpat vulputate`)

// lipsum gives random filler text.
func lipsum(c *value.Call) (value.Value, error) {
	a, err := c.Bind("generate_lorem_ipsum", opt("n", int64(5)), opt("html", true), opt("min", int64(20)), opt("max", int64(100)))
	if err != nil {
		return nil, err
	}
	var n [4]int64
	for _, i := range []int{0, 2, 3} {
		if n[i], err = value.Index(a[i]); err != nil {
			return nil, err
		}
	}
	html, err := value.Truth(c.Budget, a[1])
	if err != nil {
		return nil, err
	}
	lo, hi := n[2], n[3]
	if n[0] > 0 && hi <= lo {
		return nil, value.ValueErrorf("empty range for randrange() (%d, %d, %d)", lo, hi, hi-lo)
	}
	var paragraphs []string
	for i := int64(0); i < n[0]; i++ {
		words := lo + rand.Int64N(hi-lo)
		if err := c.Budget.Alloc(12 * max(words, 1)); err != nil {
			return nil, err
		}
		var sb strings.Builder
		capital := true
		lastComma, lastStop := int64(0), int64(0)
		for j := int64(0); j < words; j++ {
			w := lipsumWords[rand.IntN(len(lipsumWords))]
			if capital {
				w = value.Capitalize(w)
				capital = false
			}
			if j-(3+rand.Int64N(5)) > lastComma {
				lastComma = j
				lastStop += 2
				w += ","
			}
			if j-(10+rand.Int64N(10)) > lastStop {
				lastComma, lastStop = j, j
				w += "."
				capital = true
			}
			if j > 0 {
				sb.WriteByte(' ')
			}
			sb.WriteString(w)
		}
		p := strings.TrimSuffix(sb.String(), ",")
		if !strings.HasSuffix(p, ".") {
			p += "."
		}
		if html {
			p = "<p>" + p + "</p>"
		}
		paragraphs = append(paragraphs, p)
	}
	if html {
		return value.Markup(strings.Join(paragraphs, "\n")), nil
	}
	return strings.Join(paragraphs, "\n\n"), nil
}
