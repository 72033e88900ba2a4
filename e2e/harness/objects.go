package harness

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// User is an account as the interface shows it.
type User struct {
	ID       int64
	UserName string
	UserType string
	TenantID int64 `json:"tenantId"`
	State    int
}

// Tenant is the operating-system account that tasks run as.
type Tenant struct {
	ID         int64
	TenantCode string
	QueueID    int64 `json:"queueId"`
}

// Queue is a named queue of a cluster.
type Queue struct {
	ID        int64
	QueueName string
	Queue     string
}

// Project is a project.
type Project struct {
	ID          int64
	Code        int64
	Name        string
	Description string
}

// Me returns the signed-in user.
func (c *Client) Me(ctx context.Context) (User, error) {
	return call[User](ctx, c, http.MethodGet, "/users/get-user-info", nil)
}

// CreateQueue makes a queue.
func (c *Client) CreateQueue(ctx context.Context, name, value string) (Queue, error) {
	form := url.Values{"queueName": {name}, "queue": {value}}
	return call[Queue](ctx, c, http.MethodPost, "/queues", form)
}

// CreateTenant makes a tenant for an operating-system account.
func (c *Client) CreateTenant(ctx context.Context, code string, queue int64) (Tenant, error) {
	form := url.Values{"tenantCode": {code}, "queueId": {itoa(queue)}, "description": {""}}
	return call[Tenant](ctx, c, http.MethodPost, "/tenants", form)
}

// Queues returns the first hundred queues.
func (c *Client) Queues(ctx context.Context) ([]Queue, error) {
	form := url.Values{"pageNo": {"1"}, "pageSize": {"100"}}
	page, err := call[Page[Queue]](ctx, c, http.MethodGet, "/queues", form)
	return page.TotalList, err
}

// CreateUser makes an enabled general user.
func (c *Client) CreateUser(ctx context.Context, name, password string, tenant int64) (User, error) {
	form := url.Values{
		"userName": {name}, "userPassword": {password}, "tenantId": {itoa(tenant)},
		"email": {name + "@example.com"}, "queue": {""}, "phone": {""}, "state": {"1"},
	}
	return call[User](ctx, c, http.MethodPost, "/users/create", form)
}

// CreateProject makes a project.
func (c *Client) CreateProject(ctx context.Context, name, description string) (Project, error) {
	form := url.Values{"projectName": {name}, "description": {description}}
	return call[Project](ctx, c, http.MethodPost, "/projects", form)
}

// Projects returns the first hundred projects the user can see.
func (c *Client) Projects(ctx context.Context, search string) (Page[Project], error) {
	form := url.Values{"pageNo": {"1"}, "pageSize": {"100"}, "searchVal": {search}}
	return call[Page[Project]](ctx, c, http.MethodGet, "/projects", form)
}

// GenTaskCodes returns n fresh codes for tasks.
func (c *Client) GenTaskCodes(ctx context.Context, project int64, n int) ([]int64, error) {
	codes := make([]int64, 0, n)
	for len(codes) < n {
		var some []int64
		form := url.Values{"genNum": {strconv.Itoa(min(100, n-len(codes)))}} // the interface gives 100 at a time
		if err := c.Call(ctx, http.MethodGet, inProject(project, "/task-definition/gen-task-codes"), form, &some); err != nil {
			return nil, err
		}
		codes = append(codes, some...)
	}
	return codes, nil
}

func inProject(code int64, path string) string {
	return "/projects/" + itoa(code) + path
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
