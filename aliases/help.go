package aliases

import (
	"petrel"
	"petrel/expr/pyre"
)

// HelpString is one line of help: one format of an alias.
type HelpString struct {
	Pack        string `json:"pack"`
	Display     string `json:"display"`
	Description string `json:"description"`
}

// HelpList is what GET /actionalias/help answers.
type HelpList struct {
	Available   int          `json:"available"` // all that pass the filters, on other pages too
	HelpStrings []HelpString `json:"helpstrings"`
}

// Help lists what can be said: the displays of enabled aliases, of one pack
// when it is named, that a regular expression finds in regardless of case. A limit of 0 is none.
// st2: st2common/st2common/util/actionalias_helpstring.py
func Help(all []petrel.Alias, filter, pack string, limit, offset int) (HelpList, error) {
	out := HelpList{HelpStrings: []HelpString{}}
	var re *pyre.Regexp
	if filter != "" {
		var err error
		if re, err = pyre.Compile(filter, pyre.IgnoreCase); err != nil {
			return out, petrel.Wrap(petrel.Invalid, err, "the filter %q is not a regular expression: %s", shorten(filter), err.Error())
		}
	}
	for i := range all {
		a := &all[i]
		if !a.Enabled || pack != "" && pack != a.Pack {
			continue
		}
		for _, f := range a.Formats {
			if f.Display == "" {
				continue
			}
			if re != nil {
				m, err := re.Search(f.Display)
				if err != nil {
					return out, petrel.Wrap(petrel.Invalid, err, "the filter %q could not be tried: %s", shorten(filter), err.Error())
				}
				if m == nil {
					continue
				}
			}
			n := out.Available
			out.Available++
			switch {
			case offset == 0 && limit > 0 && n >= limit,
				offset > 0 && limit == 0 && n < offset,
				offset > 0 && limit > 0 && (n < offset || n >= offset+limit):
				continue
			}
			out.HelpStrings = append(out.HelpStrings, HelpString{a.Pack, f.Display, a.Description})
		}
	}
	return out, nil
}
