package boot

// Layer is one place in the total order of packages. A package may import what stands in an earlier layer, and the
// packages of its own unit; it may import neither its neighbours in the same layer nor anything later.
type Layer struct {
	Level int // the number of the group in ARCHITECTURE.md; layers of one group are ordered among themselves
	// Units are folders below the module root; a folder includes all below it that no longer unit claims. "dir/*" stands for
	// every folder of dir that is claimed nowhere else, each a unit of its own.
	Units []string
}

// Layers returns the order, lowest first. It is data so that a test can read it, and so that adding a package means
// deciding where it belongs.
func Layers() []Layer {
	return []Layer{
		// 0: the technical floor.
		{0, []string{"app/kit/fault", "app/kit/ids", "app/kit/secret", "app/kit/dial", "app/kit/pinyin"}},
		{0, []string{"app/kit/logs", "app/kit/vault", "app/kit/i18n", "app/kit/metrics"}},
		{0, []string{"app/kit/trace"}},
		{0, []string{"app/kit/lifecycle", "app/kit/listing", "app/kit/trace"}},
		{0, []string{"app/kit/db"}},
		{0, []string{"app/kit/web"}},
		{0, []string{"app/kit/testkit"}},

		// 1: the language of workflows, plugins, pages, the schema.
		{1, []string{"modules/flow", "plugins/form", "static", "migrations"}},
		{1, []string{"plugins/storage", "plugins/alert", "plugins/datasource", "views"}},
		{1, []string{"plugins/task"}},
		{1, []string{"plugins/task/launch"}},
		// Test helpers of the floor need a migrated database, so they stand above the migrations.
		{1, []string{"app/kit/db/dbtest"}},
		{1, []string{"plugins/storage/local", "plugins/storage/s3", "plugins/storage/hdfs"}},
		{1, []string{"plugins/datasource/literals"}},
		{1, []string{"plugins/datasource/kube", "plugins/datasource/remote", "plugins/datasource/hive2", "plugins/datasource/prestodb", "plugins/datasource/sqlitefile", "plugins/datasource/restsql", "plugins/datasource/verticadb"}},
		{1, []string{"plugins/datasource/snowflake", "plugins/datasource/databend", "plugins/datasource/athena"}},
		{1, []string{"plugins/alert/email", "plugins/alert/script", "plugins/alert/webhook", "plugins/datasource/builtin"}},
		{1, []string{"plugins/task/launch", "plugins/task/statement"}},
		{1, []string{"plugins/task/*"}}, // the types: a new one needs no line here
		{1, []string{"plugins/catalog"}},

		// 2: what masters and workers share.
		{2, []string{"modules/cluster", "modules/rpc"}},
		{2, []string{"modules/tasklog"}},

		// 3: the modules; one imports only those to its left.
		{3, []string{"modules/frame"}},
		{3, []string{"modules/audit"}},
		{3, []string{"modules/access"}},
		{3, []string{"modules/identity"}},
		{3, []string{"modules/security"}},
		{3, []string{"modules/resource"}},
		{3, []string{"modules/project"}},
		{3, []string{"modules/datasource"}},
		{3, []string{"modules/tasktype", "modules/udf", "modules/unconfigured"}},
		{3, []string{"modules/taskgroup"}},
		{3, []string{"modules/workflow"}},
		{3, []string{"modules/instance"}},
		{3, []string{"modules/backfill", "modules/quality"}},
		{3, []string{"modules/schedule"}},
		{3, []string{"modules/transfer"}},
		{3, []string{"modules/alert"}},
		{3, []string{"modules/keep"}},
		{3, []string{"modules/monitor"}},
		{3, []string{"modules/gateway"}},
		{3, []string{"modules/home", "modules/search"}},
		{3, []string{"modules/apidocs"}},

		// 4: the two halves that run workflows; they meet in modules/rpc and modules/flow.
		{4, []string{"modules/engine", "modules/executor"}},

		// 5: the program.
		{5, []string{"app/config"}},
		{5, []string{"app/boot"}},
		{5, []string{"app/cli"}},
		{5, []string{"app"}},

		// 6: tests and tools that look from outside.
		{6, []string{"e2e"}},
	}
}

// Prohibition is a rule that holds however many packages lie between: From reaches none of Never, directly or not.
type Prohibition struct {
	From    []string
	Never   []string
	Because string
}

// Prohibitions returns the rules with teeth. .golangci.yml repeats them for direct imports, and a test compares the two.
func Prohibitions() []Prohibition {
	features := []string{
		"modules/frame", "modules/audit", "modules/access", "modules/identity", "modules/security",
		"modules/resource", "modules/project", "modules/datasource", "modules/tasktype", "modules/udf", "modules/unconfigured", "modules/taskgroup", "modules/workflow", "modules/instance", "modules/backfill", "modules/quality", "modules/schedule", "modules/transfer", "modules/alert", "modules/keep",
		"modules/monitor", "modules/gateway", "modules/home", "modules/search", "modules/apidocs",
	}
	return []Prohibition{
		{
			[]string{"views"},
			[]string{"modules", "migrations", "plugins/task", "app/kit/db", "app/kit/web"},
			"a page draws the view model it is given; it knows only kit/i18n, plugins/form and static",
		},
		{
			[]string{"plugins"},
			[]string{"modules", "views", "app/kit/db", "app/kit/web"},
			"a plugin describes and runs one kind of task; the product around it is not its business",
		},
		{
			[]string{"modules/executor"},
			append([]string{"app/kit/db", "app/kit/web", "modules/engine", "views"}, features...),
			"a worker never opens the database: all it needs travels in the dispatched task",
		},
		{
			[]string{"modules/engine"},
			append([]string{"app/kit/web", "modules/executor", "views"}, features...),
			"the engine reads the tables it needs through its own store; executor and engine meet in modules/rpc and modules/flow",
		},
		{
			[]string{"app/kit", "modules", "plugins", "views", "static", "migrations", "app/config", "e2e"},
			[]string{"app/boot", "app/cli"},
			"boot is the composition root: only the command line knows it",
		},
		{
			[]string{"e2e"},
			[]string{"app", "modules", "plugins", "views", "static", "migrations"},
			"end-to-end tests and benchmarks see the binary, HTTP and a browser, and nothing else",
		},
	}
}
