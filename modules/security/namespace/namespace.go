package namespace

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

// Manage allows keeping namespaces; only administrators have it. Using one needs a grant.
const Manage access.Permission = "namespace.manage"

// Rules says who has the permissions of this package.
func Rules() []access.Rule { return []access.Rule{access.Allow(Manage)} }

// Namespace is a namespace of a Kubernetes cluster.
type Namespace struct {
	ID          int64     `db:"id"`
	Code        int64     `db:"code"`
	Name        string    `db:"namespace"`
	ClusterCode int64     `db:"cluster_code"`
	ClusterName string    `db:"cluster_name"`
	UserID      int64     `db:"user_id"` // who made it
	UserName    string    `db:"user_name"`
	CreatedAt   time.Time `db:"created_at"`
	UpdatedAt   time.Time `db:"updated_at"`
}

// Ref is what every list shows of a namespace.
func (n Namespace) Ref() crud.Ref {
	return crud.Ref{ID: n.ID, Name: n.Name, UpdatedAt: n.UpdatedAt}
}

// Key is what a namespace is granted by.
func (n Namespace) Key() string { return strconv.FormatInt(n.ID, 10) }

// Draft is what a form may set.
type Draft struct {
	Name        string
	ClusterCode int64
}

// Clean returns the draft without surrounding white space.
func (d Draft) Clean() Draft { return Draft{strings.TrimSpace(d.Name), d.ClusterCode} }

// label is what Kubernetes takes as the name of a namespace.
var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Validate returns a fault with a message for each field that breaks a rule.
func (d Draft) Validate() error {
	var c fault.Collector
	switch {
	case d.Name == "":
		c.Add("namespace", "security.required")
	case !label.MatchString(d.Name):
		c.Add("namespace", ErrName.Key)
	}
	if d.ClusterCode == 0 {
		c.Add("cluster", "security.required")
	}
	return c.Err()
}

// Faults of this package.
var (
	ErrNotFound = fault.New(fault.NotFound, "namespace.error.not_found")
	ErrName     = fault.New(fault.Invalid, "namespace.error.name")
	ErrTaken    = fault.New(fault.Conflict, "namespace.error.taken")
	ErrCluster  = fault.New(fault.Invalid, "namespace.error.cluster")
	ErrInUse    = fault.New(fault.Conflict, "namespace.error.in_use")
)

// Use is one object that refers to a namespace.
type Use = crud.Use

// Referrer is implemented by modules that name namespaces.
type Referrer interface {
	// NamespaceUses lists what refers to the namespace, at most limit of it.
	NamespaceUses(ctx context.Context, n Namespace, limit int) ([]Use, error)
}

// Spec is what a list of namespaces can be asked for.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"namespace": "n.namespace", "cluster": "c.name", "created": "n.created_at", "updated": "n.updated_at"},
		Search:  []string{"n.namespace", "c.name"},
		Default: "-updated",
		ID:      "n.id",
	}
}
