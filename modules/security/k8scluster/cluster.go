package k8scluster

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

// Permissions of this package. Everybody signed in may see which clusters there are, because forms offer them.
const (
	View   access.Permission = "cluster.view"
	Manage access.Permission = "cluster.manage"
)

// Rules says who has the permissions of this package.
func Rules() []access.Rule {
	return []access.Rule{access.Allow(View, access.User), access.Allow(Manage)}
}

// Cluster is a Kubernetes cluster.
type Cluster struct {
	ID          int64     `db:"id"`
	Code        int64     `db:"code"`
	Name        string    `db:"name"`
	Config      string    `db:"config" json:"-"` // sealed
	Description string    `db:"description"`
	OperatorID  int64     `db:"operator_id"` // who changed it last
	CreatedAt   time.Time `db:"created_at"`
	UpdatedAt   time.Time `db:"updated_at"`
}

// Ref is what every list shows of a cluster.
func (c Cluster) Ref() crud.Ref { return crud.Ref{ID: c.ID, Name: c.Name, UpdatedAt: c.UpdatedAt} }

// Draft is what a form may set.
type Draft struct {
	Name        string
	Config      secret.String // a kubeconfig; empty or Masked keeps the one there is
	Description string

	keeps bool // there is one to keep
}

// Masked stands for a kubeconfig that is not shown.
const Masked = "******"

const (
	maxName        = 100
	maxConfig      = 512 << 10 // bytes
	maxDescription = 255       // characters
)

// Clean returns the draft without surrounding white space.
func (d Draft) Clean() Draft {
	config := strings.TrimSpace(strings.ReplaceAll(d.Config.Reveal(), "\r\n", "\n"))
	if config == Masked {
		config = ""
	}
	d.Name, d.Config, d.Description = strings.TrimSpace(d.Name), secret.String(config), strings.TrimSpace(d.Description)
	return d
}

// Validate returns a fault with a message for each field that breaks a rule.
func (d Draft) Validate() error {
	var c fault.Collector
	switch {
	case d.Name == "":
		c.Add("name", ErrNameMissing.Key)
	case utf8.RuneCountInString(d.Name) > maxName:
		c.Add("name", "security.too_long", "max", maxName)
	case strings.ContainsFunc(d.Name, unicode.IsControl):
		c.Add("name", "cluster.error.name_form")
	}
	switch config := d.Config.Reveal(); {
	case config == "" && !d.keeps:
		c.Add("config", ErrConfigMissing.Key)
	case len(config) > maxConfig:
		c.Add("config", "security.too_long", "max", maxConfig)
	case config != "":
		if key, args := checkKubeconfig(config); key != "" {
			c.Add("config", key, args...)
		}
	}
	if utf8.RuneCountInString(d.Description) > maxDescription {
		c.Add("description", ErrDescription.Key, "max", maxDescription)
	}
	return c.Err()
}

// Faults of this package.
var (
	ErrNotFound      = fault.New(fault.NotFound, "cluster.error.not_found")
	ErrNameMissing   = fault.New(fault.Invalid, "cluster.error.name_missing")
	ErrNameTaken     = fault.New(fault.Conflict, "cluster.error.name_taken")
	ErrConfigMissing = fault.New(fault.Invalid, "cluster.error.config_missing")
	ErrDescription   = fault.New(fault.Invalid, "cluster.error.description")
	ErrInUse         = fault.New(fault.Conflict, "cluster.error.in_use")
)

// Use is one object that refers to a cluster.
type Use = crud.Use

// Referrer is implemented by modules that hold codes of clusters.
type Referrer interface {
	// ClusterUses lists what refers to the cluster, at most limit of it.
	ClusterUses(ctx context.Context, code int64, limit int) ([]Use, error)
}

// Spec is what a list of clusters can be asked for.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"name": "name", "created": "created_at", "updated": "updated_at"},
		Search:  []string{"name", "description"},
		Default: "-updated",
		ID:      "id",
	}
}
