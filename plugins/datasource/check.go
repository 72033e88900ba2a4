package datasource

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dorado/app/kit/secret"
	"dorado/plugins/form"
)

var (
	hostForm     = regexp.MustCompile(`^[A-Za-z0-9_.-]+(:[0-9]{1,5})?$`)
	databaseForm = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	nameForm     = regexp.MustCompile(`^[A-Za-z0-9_/@.:-]+$`)
)

// forbidden are parameters that make a driver run code, read or write files, or talk to somebody else. Names that end in *
// are beginnings. They are compared without regard to case.
var forbidden = []string{
	"allowloadlocalinfile*", "autodeserialize", "allowlocalinfile", "allowurlinlocalinfile", "detectcustomcollations", "maxallowedpacketfile",
	"socketfactory*", "sslfactory*", "sslhostnameverifier", "sslpasswordcallback", "authenticationpluginclassname", "loggerfile", "loggerlevel", "logger",
	"init", "jndi*", "java.naming.*", "krbjaasfile", "jaasapplicationname", "statementinterceptors", "queryinterceptors", "exceptioninterceptors",
	"propertiestransform", "connectionlifecycleinterceptors", "clientinfoprovider", "servercharset_class", "loadbalancestrategy",
	"passwordcharacterencoding_class", "trace_file", "tracefile", "tracedirectory", "trcfile", "enablejndi", "script", "runscript",
	"clientrerouteserverlistjndiname", "plugins", "socks_proxy_class", "connectionfactory*", "driverclass*", "gsslib", "classpath", "includedlib",
	"allowallfiles", "multistatements", "allowmultiqueries", "serverrsapublickeyfile", "localsocketaddress", "localsocket", "pipe", "sslkey", "sslcert",
	"sslrootcert", "truststore*", "keystore*", "clientcertificatekeystoreurl", "trustcertificatekeystoreurl",
	"logpath", "awscredentialsprovider*", "profilename", "profile_name", "plugin_name", "inifile", "inisection", // of Athena and Redshift
	"client_config_file", "private_key_file*", "tracing", // of Snowflake
	"jaasconfigname", "oauthjsonconfig", "backupservernode", // of Vertica
}

// Forbidden reports whether a further parameter may not be set, whatever its value.
func Forbidden(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(forbidden, func(f string) bool {
		if begin, ok := strings.CutSuffix(f, "*"); ok {
			return strings.HasPrefix(name, begin)
		}
		return name == f
	})
}

// Read checks settings and returns them with everything that is wrong.
func (p Plugin) Read(flat form.Flat) (Settings, []form.Problem) {
	values, problems := form.Decode(p.Schema, flat.JSON())
	s := Settings{
		Port: int(values.Number(Port)), Database: values.Text(Database), User: values.Text(User), Password: secret.String(values.Text(Password)),
		All: map[string]string{},
	}
	wrong := map[string]bool{}
	for _, one := range problems {
		wrong[one.Field] = true
	}
	add := func(field, key string, args ...any) {
		if !wrong[field] {
			problems = append(problems, form.Problem{Field: field, Key: key, Args: args})
			wrong[field] = true
		}
	}
	for _, f := range p.Schema {
		text := flat[f.Name]
		if text == "" && f.Type == form.Number && values.Number(f.Name) != 0 {
			text = strconv.FormatFloat(values.Number(f.Name), 'f', -1, 64)
		} else if d, ok := f.Default.(string); ok && text == "" {
			text = d
		}
		s.All[f.Name] = text
		if f.Type == form.Text && strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			add(f.Name, "datasource.error.control")
		}
		if want := p.Forms[f.Name]; want != nil && text != "" && !want.MatchString(text) {
			add(f.Name, p.Complaint)
		}
	}
	if text := values.Text(Host); text != "" {
		var bad string
		if s.Hosts, bad = hosts(text); bad != "" {
			add(Host, "datasource.error.host", "host", bad)
		}
	}
	if s.Database != "" && !p.database(s.Database) {
		add(Database, "datasource.error.database")
	}
	var err string
	var name string
	if s.Other, err, name = others(flat[Other]); err != "" {
		add(Other, err, "name", name)
	}
	return s, problems
}

func (p Plugin) database(name string) bool {
	if catalog, schema, ok := strings.Cut(name, "/"); ok && p.Slashes {
		return databaseForm.MatchString(catalog) && databaseForm.MatchString(schema)
	}
	return databaseForm.MatchString(name)
}

// hosts reads a comma-separated list; bad is the first that is none.
func hosts(text string) (list []string, bad string) {
	for h := range strings.SplitSeq(text, ",") {
		h = strings.TrimSpace(h)
		if _, err := netip.ParseAddr(strings.Trim(h, "[]")); err == nil && strings.Contains(h, ":") {
			list = append(list, "["+strings.Trim(h, "[]")+"]")
			continue
		}
		if !hostForm.MatchString(h) {
			return nil, cmp.Or(h, text)
		}
		list = append(list, h)
	}
	return list, ""
}

// others reads further parameters: an object of texts. fault is a message key, name the parameter it is about.
func others(text string) (list []Pair, fault, name string) {
	if strings.TrimSpace(text) == "" || text == "null" {
		return nil, "", ""
	}
	members, err := form.ReadFlat([]byte(text))
	if err != nil {
		return nil, "datasource.error.other", ""
	}
	for name, value := range members {
		switch {
		case Forbidden(name):
			return nil, "datasource.error.forbidden", name
		case !nameForm.MatchString(name):
			return nil, "datasource.error.other_name", name
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == '&' || r == ';' || r == '#' || r == '?' }):
			return nil, "datasource.error.other_value", name
		}
		list = append(list, Pair{name, value})
	}
	slices.SortFunc(list, func(a, b Pair) int { return cmp.Compare(a.Name, b.Name) })
	return list, "", ""
}
