package native

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"dorado/app/kit/i18n"
	"dorado/plugins/datasource"
	"dorado/plugins/datasource/builtin"
	"dorado/plugins/form"
	"dorado/plugins/task/statement"
)

// database is one that a job reads or writes.
type database struct {
	pool    *sql.DB
	family  statement.Family
	kind    string // type of data source
	name    string // server and database, for the log
	session []string
	zone    *time.Location // MySQL: of TIMESTAMP, which is shown in the zone of the session
	nulls   bool           // MySQL: the date 0000-00-00 is read as NULL
}

// kinds are what begins an address, and the type of data source it leads to; the longer ones first.
func kinds() [][2]string {
	return [][2]string{
		{"jdbc:mysql:loadbalance://", "MYSQL"},
		{"jdbc:mysql:replication://", "MYSQL"},
		{"jdbc:mysql://", "MYSQL"},
		{"jdbc:mariadb://", "MYSQL"},
		{"jdbc:oceanbase://", "OCEANBASE"},
		{"jdbc:postgresql://", "POSTGRESQL"},
		{"jdbc:oracle:thin:@", "ORACLE"},
		{"jdbc:sqlserver://", "SQLSERVER"},
		{"jdbc:clickhouse:http://", "CLICKHOUSE"},
		{"jdbc:clickhouse://", "CLICKHOUSE"},
		{"jdbc:ch://", "CLICKHOUSE"},
	}
}

// address reads an address of JDBC into the settings of a data source, as a user would type them.
func address(text string) (kind string, flat form.Flat, err error) {
	text = strings.TrimSpace(text)
	rest := ""
	for _, k := range kinds() {
		if len(text) > len(k[0]) && strings.EqualFold(text[:len(k[0])], k[0]) {
			kind, rest = k[1], text[len(k[0]):]
			break
		}
	}
	var others map[string]string
	flat = form.Flat{}
	switch kind {
	case "":
		scheme, _, _ := strings.Cut(text, "/")
		return "", nil, fmt.Errorf("the native engine has no driver for addresses that begin with %q; they need an installation of DataX", scheme)
	case "SQLSERVER":
		hosts, params, _ := strings.Cut(rest, ";")
		others = pairs(params, ";")
		flat["host"], _, _ = strings.Cut(hosts, `\`)
		flat["database"] = take(others, "databaseName", "database")
	case "ORACLE":
		flat["connectType"] = "ORACLE_SERVICE_NAME"
		body, params, _ := strings.Cut(rest, "?")
		others = pairs(params, "&")
		switch host, service, ok := strings.Cut(strings.TrimPrefix(body, "//"), "/"); {
		case ok:
			flat["host"], flat["database"] = host, service
		case strings.Count(body, ":") == 2:
			at := strings.LastIndexByte(body, ':')
			flat["host"], flat["database"], flat["connectType"] = body[:at], body[at+1:], "ORACLE_SID"
		default:
			return "", nil, errors.New("the address is neither host:port/service nor host:port:sid")
		}
	default:
		body, params, _ := strings.Cut(rest, "?")
		others = pairs(params, "&")
		flat["host"], flat["database"], _ = strings.Cut(body, "/")
	}
	if user := take(others, "user"); user != "" {
		flat["userName"] = user
	}
	if password := take(others, "password"); password != "" {
		flat["password"] = password
	}
	if kind == "CLICKHOUSE" && flat["database"] == "" {
		flat["database"] = "default"
	}
	raw, err := json.Marshal(others)
	flat["other"] = string(raw)
	return kind, flat, err
}

func pairs(text, sep string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(text, sep) {
		name, value, ok := strings.Cut(part, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			continue
		}
		if plain, err := url.QueryUnescape(value); err == nil && sep == "&" {
			value = plain
		}
		out[name] = value
	}
	return out
}

// take removes a parameter, whatever the case of its name, and returns its value.
func take(all map[string]string, names ...string) string {
	for name, value := range all {
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			delete(all, name)
			return value
		}
	}
	return ""
}

// fits reports whether a plugin of DataX works on a type of data source.
func fits(plugin, kind string) bool {
	name := strings.TrimSuffix(strings.TrimSuffix(plugin, "reader"), "writer")
	switch name {
	case "rdbms":
		return true
	case "oceanbasev10":
		return kind == "OCEANBASE" || kind == "MYSQL"
	}
	return strings.EqualFold(name, kind)
}

// open returns the database of a side, without connecting.
func (e end) open(ctx context.Context, where string) (*database, error) {
	kind, flat, err := address(where)
	if err != nil {
		return nil, err
	}
	if !fits(e.name, kind) {
		return nil, fmt.Errorf("%s does not work on an address of %s", e.name, kind)
	}
	if e.params.Username != "" {
		flat["userName"] = e.params.Username
	}
	if e.params.Password != "" {
		flat["password"] = e.params.Password
	}
	types := builtin.Types()
	p := types[slices.IndexFunc(types, func(p datasource.Plugin) bool { return p.Type == kind })]
	settings, problems := p.Read(flat)
	if len(problems) > 0 {
		return nil, unfit(ctx, problems)
	}
	pool, err := p.Open(settings)
	if err != nil {
		return nil, err
	}
	return &database{
		pool: pool, family: statement.Of(p).Family, kind: kind, name: settings.HostList(true) + "/" + settings.Database, session: e.params.Session,
		zone: time.UTC, nulls: strings.EqualFold(settings.Get("zeroDateTimeBehavior"), "convertToNull") || strings.EqualFold(settings.Get("zeroDateTimeBehavior"), "CONVERT_TO_NULL"),
	}, nil
}

// unfit says what is wrong with settings.
func unfit(ctx context.Context, problems []form.Problem) error {
	all := make([]string, len(problems))
	names := map[string]string{"userName": "username"}
	for i, p := range problems {
		field := p.Field
		if names[field] != "" {
			field = names[field]
		}
		all[i] = field + ": " + i18n.T(i18n.WithLocale(ctx, i18n.English), p.Key, p.Args...)
	}
	return errors.New(strings.Join(all, "; "))
}

// connect tries addresses in their order and returns the first database that answers.
func (e end) connect(ctx context.Context, addresses []string) (*database, error) {
	var all []error
	for _, a := range addresses {
		d, err := e.open(ctx, a)
		if err != nil {
			return nil, err
		}
		if err = d.greet(ctx); err == nil {
			return d, nil
		}
		all = append(all, fmt.Errorf("connect to %s: %w", d.name, err), d.pool.Close())
	}
	return nil, errors.Join(all...)
}

// greet connects once, and asks what has to be known of the server.
func (d *database) greet(ctx context.Context) error {
	conn, err := d.conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if d.family != statement.MySQL {
		return nil
	}
	var session, system string
	var offset int
	if err := conn.QueryRowContext(ctx, "SELECT @@session.time_zone, @@system_time_zone, TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW())").Scan(&session, &system, &offset); err != nil {
		return nil // what speaks the language of MySQL need not know all of this: its times are taken as UTC
	}
	d.zone = sessionZone(session, system, offset)
	return nil
}

// sessionZone is the zone of a session of MySQL. Abbreviations (CST) mean several zones: where the server has nothing better,
// the difference to UTC at this moment counts.
func sessionZone(session, system string, offset int) *time.Location {
	if strings.EqualFold(session, "SYSTEM") {
		session = system
		if !strings.Contains(system, "/") && system != "UTC" {
			return time.FixedZone(system, offset)
		}
	}
	if session == "" {
		return time.UTC
	}
	zone, err := Zone(session)
	if err != nil {
		return time.FixedZone(session, offset)
	}
	return zone
}

// conn is a connection of its own, with the statements of the session behind it.
func (d *database) conn(ctx context.Context) (*sql.Conn, error) {
	conn, err := d.pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if err := conn.PingContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	for _, s := range d.session {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return nil, errors.Join(fmt.Errorf("session %q: %w", statement.Shorten(s, 200), err), conn.Close())
		}
	}
	return conn, nil
}
