package resource

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
)

type api struct {
	svc  *Service
	rest *dsapi.API
}

func (a api) routes(r chi.Router) {
	e := a.rest.Faults(dsapi.Faults{
		ErrNotConfigured.Key: 60002, ErrForeign.Key: 20020, ErrBadPath.Key: 20020, ErrNotFound.Key: 20004, ErrExists.Key: 20005,
		ErrNotText.Key: 20006, ErrTooLarge.Key: 20007, ErrInUse.Key: 20014, ErrQuota.Key: 20007,
	})
	r.Get("/resources", e.OK(10057, a.page))
	r.Post("/resources", e.OK(10054, a.upload))
	r.Put("/resources", e.OK(10055, a.update))
	r.Delete("/resources", e.OK(10058, a.remove))
	r.Post("/resources/directory", e.OK(10054, a.directory))
	r.Post("/resources/online-create", e.OK(10061, a.onlineCreate))
	r.Put("/resources/update-content", e.OK(10063, a.updateContent))
	r.Get("/resources/list", e.OK(10056, a.tree))
	r.Get("/resources/query-by-type", e.OK(10056, a.byType))
	r.Get("/resources/view", e.OK(10060, a.view))
	r.Get("/resources/download", e.OK(10064, a.download))
	r.Get("/resources/base-dir", e.OK(20004, a.baseDir))
	r.Get("/resources/verify-name", e.OK(10059, a.verify))
	r.Get("/resources/query-file-name", e.OK(20004, a.byName))
	r.Delete("/resources/data-transfer", e.OK(10058, a.dataTransfer))
}

// resourceTypes are DolphinScheduler's kinds of trees. There is one here: UDF and ALL mean it, too.
func resourceTypes() []string { return []string{"FILE", "UDF", "ALL"} }

const fileType = "FILE"

// dsItem is a row of a list.
type dsItem struct {
	Alias      string     `json:"alias"`
	UserName   *string    `json:"userName"`
	FileName   string     `json:"fileName"`
	FullName   string     `json:"fullName"`
	Type       string     `json:"type"`
	Size       int64      `json:"size"`
	CreateTime dsapi.Time `json:"createTime"`
	UpdateTime dsapi.Time `json:"updateTime"`
	Directory  bool       `json:"directory"`
}

func (a api) item(f File) dsItem {
	return dsItem{
		Alias: f.Name, FileName: f.Name, FullName: a.svc.Names.Full(f.Ref()), Type: fileType, Size: f.Size,
		CreateTime: dsapi.Time(f.CreatedAt), UpdateTime: dsapi.Time(f.UpdatedAt), Directory: f.Dir,
	}
}

// dsPage is PageInfo as this one list has it.
type dsPage struct {
	TotalList   []dsItem `json:"totalList"`
	Total       int      `json:"total"`
	TotalPage   int      `json:"totalPage"`
	PageSize    int      `json:"pageSize"`
	CurrentPage *int     `json:"currentPage"`
	PageNo      int      `json:"pageNo"`
}

// ref reads the name of a file or folder in the tree of the caller.
func (a api) ref(ctx context.Context, name string) (Ref, error) {
	if err := a.svc.Configured(); err != nil {
		return Ref{}, err
	}
	home, err := a.svc.Home(ctx)
	if err != nil {
		return Ref{}, err
	}
	return a.svc.Names.Parse(name, home), nil
}

func (a api) page(r *http.Request, p *dsapi.Params) (any, error) {
	name := p.Text("fullName")
	p.Enum("type", resourceTypes()...)
	no, size := p.Paging()
	if err := p.Err(); err != nil {
		return nil, err
	}
	ctx := r.Context()
	folder, err := a.ref(ctx, name)
	if err != nil {
		return nil, err
	}
	out := dsPage{TotalList: []dsItem{}, PageSize: size, PageNo: no, TotalPage: 1}
	folders := []Ref{folder}
	if strings.Trim(name, "/") == "" { // administrators see all trees at once
		trees, err := a.svc.Trees(ctx)
		if err != nil {
			return nil, err
		}
		folders = folders[:0]
		for _, t := range trees {
			folders = append(folders, Ref{Tenant: t})
		}
	}
	skip := (no - 1) * size
	for _, f := range folders { // one after the other, so a page may hold rows of several
		for page := 1; ; page++ {
			list, err := a.svc.Page(ctx, f, listing.New(Spec(), page, listing.MaxSize, p.Text("searchVal")))
			if err != nil {
				return nil, err
			}
			for i, file := range list.Items {
				if at := out.Total + (page-1)*listing.MaxSize + i; at >= skip && at < skip+size {
					out.TotalList = append(out.TotalList, a.item(file))
				}
			}
			if page >= list.Pages() || out.Total+page*listing.MaxSize >= skip+size {
				out.Total += list.Total
				break
			}
		}
	}
	out.TotalPage = max(1, (out.Total+size-1)/size)
	return out, nil
}

// target is the file that currentDir and a name together mean.
func (a api) target(ctx context.Context, p *dsapi.Params, name string) (Ref, error) {
	folder, err := a.ref(ctx, p.TextOr("currentDir", "/"))
	if err != nil {
		return Ref{}, err
	}
	return folder.Child(name), nil
}

func (a api) directory(r *http.Request, p *dsapi.Params) (any, error) {
	p.Enum("type", resourceTypes()...)
	name := p.RequiredText("name")
	if err := p.Err(); err != nil {
		return nil, err
	}
	ref, err := a.target(r.Context(), p, name)
	if err != nil {
		return nil, err
	}
	_, err = a.svc.MakeFolder(r.Context(), ref)
	return nil, err
}

func (a api) upload(r *http.Request, p *dsapi.Params) (any, error) {
	p.Enum("type", resourceTypes()...)
	name := p.RequiredText("name")
	if err := p.Err(); err != nil {
		return nil, err
	}
	ref, err := a.target(r.Context(), p, name)
	if err != nil {
		return nil, err
	}
	return nil, a.store(r, ref, Create)
}

// store writes the part "file" of a request.
func (a api) store(r *http.Request, ref Ref, when When) error {
	f, header, err := r.FormFile("file")
	if err != nil {
		return &dsapi.ParamError{Name: "file", Missing: true}
	}
	defer func(f multipart.File) { _ = f.Close() }(f)
	_, err = a.svc.Write(r.Context(), ref, Content{Reader: f, Size: header.Size, When: when})
	return err
}

func (a api) onlineCreate(r *http.Request, p *dsapi.Params) (any, error) {
	p.Enum("type", resourceTypes()...)
	name, suffix, content := p.RequiredText("fileName"), p.RequiredText("suffix"), p.RequiredText("content")
	if err := p.Err(); err != nil {
		return nil, err
	}
	ref, err := a.target(r.Context(), p, name+"."+strings.TrimPrefix(suffix, "."))
	if err != nil {
		return nil, err
	}
	return nil, a.write(r.Context(), ref, content, Create)
}

func (a api) write(ctx context.Context, ref Ref, content string, when When) error {
	if !TextSuffix(ref.Name()) {
		return ErrNotText.With("name", ref.Name())
	}
	_, err := a.svc.Write(ctx, ref, Content{Reader: strings.NewReader(content), Size: int64(len(content)), When: when})
	return err
}

func (a api) updateContent(r *http.Request, p *dsapi.Params) (any, error) {
	name, content := p.RequiredText("fullName"), p.RequiredText("content")
	if err := p.Err(); err != nil {
		return nil, err
	}
	ref, err := a.ref(r.Context(), name)
	if err != nil {
		return nil, err
	}
	return nil, a.write(r.Context(), ref, content, Replace)
}

// update renames, or takes a new content.
func (a api) update(r *http.Request, p *dsapi.Params) (any, error) {
	full, name := p.RequiredText("fullName"), p.RequiredText("name")
	if err := p.Err(); err != nil {
		return nil, err
	}
	ref, err := a.ref(r.Context(), full)
	if err != nil {
		return nil, err
	}
	if r.MultipartForm != nil && len(r.MultipartForm.File["file"]) > 0 {
		return nil, a.store(r, ref, Replace)
	}
	_, err = a.svc.Move(r.Context(), ref, ref.Parent().Child(name))
	return nil, err
}

func (a api) remove(r *http.Request, p *dsapi.Params) (any, error) {
	name := p.RequiredText("fullName")
	if err := p.Err(); err != nil {
		return nil, err
	}
	ref, err := a.ref(r.Context(), name)
	if err != nil {
		return nil, err
	}
	return nil, a.svc.Delete(r.Context(), ref)
}

// dsNode is a file or folder with what lies below. The spelling of dirctory is DolphinScheduler's.
type dsNode struct {
	Name        string    `json:"name"`
	CurrentDir  *string   `json:"currentDir"`
	FullName    string    `json:"fullName"`
	Description *string   `json:"description"`
	Type        string    `json:"type"`
	Children    []*dsNode `json:"children"`
	Directory   bool      `json:"dirctory"`
}

func (a api) tree(r *http.Request, p *dsapi.Params) (any, error) {
	p.Enum("type", resourceTypes()...)
	if err := p.Err(); err != nil {
		return nil, err
	}
	return a.nodes(r.Context(), p.Text("fullName"), func(File) bool { return true })
}

// byType is tree with the files only that a kind of program can use.
func (a api) byType(r *http.Request, p *dsapi.Params) (any, error) {
	p.Enum("type", resourceTypes()...)
	program := p.Text("programType")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return a.nodes(r.Context(), "", func(f File) bool {
		switch program {
		case "JAVA", "SCALA":
			return f.Dir || path.Ext(f.Name) == ".jar"
		case "PYTHON":
			return f.Dir || path.Ext(f.Name) == ".py" || path.Ext(f.Name) == ".zip"
		default:
			return true
		}
	})
}

func (a api) nodes(ctx context.Context, name string, wanted func(File) bool) (any, error) {
	root, err := a.ref(ctx, name)
	if err != nil {
		return nil, err
	}
	files, err := a.svc.Tree(ctx, root)
	if err != nil {
		return nil, err
	}
	out := []*dsNode{}
	at := map[string]*dsNode{}
	for _, f := range files { // a folder stands before what lies in it
		if !wanted(f) {
			continue
		}
		n := &dsNode{Name: f.Name, FullName: a.svc.Names.Full(f.Ref()), Type: fileType, Children: []*dsNode{}, Directory: f.Dir}
		at[f.Path] = n
		if above, ok := at[parentOf(f.Path)]; ok {
			above.Children = append(above.Children, n)
		} else {
			out = append(out, n)
		}
	}
	return out, nil
}

func (a api) view(r *http.Request, p *dsapi.Params) (any, error) {
	name, skip, limit := p.RequiredText("fullName"), p.RequiredInt("skipLineNum"), p.RequiredInt("limit")
	if err := p.Err(); err != nil {
		return nil, err
	}
	ref, err := a.ref(r.Context(), name)
	if err != nil {
		return nil, err
	}
	text, err := a.svc.Lines(r.Context(), ref, max(skip, 0), limit)
	if err != nil {
		return nil, err
	}
	return struct {
		Alias   string `json:"alias"`
		Content string `json:"content"`
	}{a.svc.Names.Full(ref), text}, nil
}

func (a api) download(r *http.Request, p *dsapi.Params) (any, error) {
	name := p.RequiredText("fullName")
	if err := p.Err(); err != nil {
		return nil, err
	}
	ref, err := a.ref(r.Context(), name)
	if err != nil {
		return nil, err
	}
	f, content, err := a.svc.Open(r.Context(), ref, 0, 0)
	if err != nil {
		return nil, err
	}
	return dsapi.Raw(func(w http.ResponseWriter, _ *http.Request) {
		defer func() { _ = content.Close() }()
		attach(w, f)
		_, _ = io.Copy(w, content)
	}), nil
}

// attach sets the headers of a file that is to be saved and not shown.
func attach(w http.ResponseWriter, f File) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Digest", "sha-256="+f.SHA256)
}

func (a api) baseDir(r *http.Request, p *dsapi.Params) (any, error) {
	p.Enum("type", resourceTypes()...)
	if err := p.Err(); err != nil {
		return nil, err
	}
	root, err := a.ref(r.Context(), "/")
	if err != nil {
		return nil, err
	}
	return a.svc.Names.Full(root), nil
}

func (a api) verify(r *http.Request, p *dsapi.Params) (any, error) {
	name := p.RequiredText("fullName")
	if err := p.Err(); err != nil {
		return nil, err
	}
	ref, err := a.ref(r.Context(), name)
	if err != nil {
		return nil, err
	}
	_, err = a.svc.Get(r.Context(), ref)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil //nolint:nilnil // the name is free
	case err != nil:
		return nil, err
	default:
		return nil, ErrExists.With("name", ref.Path)
	}
}

// dsEntity is a file as 3.2 describes single ones.
type dsEntity struct {
	FullName    string     `json:"fullName"`
	FileName    string     `json:"fileName"`
	PfullName   string     `json:"pfullName"`
	IsDirectory bool       `json:"directory"`
	Type        string     `json:"type"`
	Size        int64      `json:"size"`
	CreateTime  dsapi.Time `json:"createTime"`
	UpdateTime  dsapi.Time `json:"updateTime"`
	Alias       string     `json:"alias"`
	ID          int64      `json:"id"`
	Description *string    `json:"description"`
	UserID      int64      `json:"userId"`
	UserName    *string    `json:"userName"`
}

func (a api) byName(r *http.Request, p *dsapi.Params) (any, error) {
	p.Enum("type", resourceTypes()...)
	name := p.FirstText("fileName", "fullName")
	if err := p.Err(); err != nil {
		return nil, err
	}
	ref, err := a.ref(r.Context(), name)
	if err != nil {
		return nil, err
	}
	if tenant := p.Text("tenantCode"); tenant != "" && ref.Tenant != tenant {
		ref.Tenant = tenant
	}
	f, err := a.svc.Get(r.Context(), ref)
	if err != nil {
		return nil, err
	}
	return dsEntity{
		FullName: a.svc.Names.Full(ref), FileName: f.Name, PfullName: a.svc.Names.Full(ref.Parent()), IsDirectory: f.Dir, Type: fileType, Size: f.Size,
		CreateTime: dsapi.Time(f.CreatedAt), UpdateTime: dsapi.Time(f.UpdatedAt), Alias: f.Name, ID: f.ID, UserID: f.UserID,
	}, nil
}

// transferFolder is where DolphinScheduler keeps files that tasks pass on: in the tree of the tenant. Here they have no tree
// and go with their runs; this is for those who want them to go earlier.
const transferFolder = flow.TransferFolder

// dropped is an answer with two lists beside data, as clients of DolphinScheduler 3.2 expect it.
type dropped struct {
	Code    int      `json:"code"`
	Msg     string   `json:"msg"`
	Data    *string  `json:"data"`
	Failed  bool     `json:"failed"`
	Success bool     `json:"success"`
	Done    []string `json:"successList"`
	Undone  []string `json:"failedList"`
}

// dataTransfer throws away what tasks passed on more than some days ago.
func (a api) dataTransfer(r *http.Request, p *dsapi.Params) (any, error) {
	days := p.RequiredInt("days")
	if err := p.Err(); err != nil {
		return nil, err
	}
	ref, err := a.ref(r.Context(), transferFolder)
	if err != nil {
		return nil, err
	}
	gone, err := a.svc.DropBefore(r.Context(), ref, days)
	if err != nil {
		return nil, err
	}
	done := make([]string, len(gone))
	for i, f := range gone {
		done[i] = a.svc.Names.Full(f)
	}
	handed, err := a.svc.DropHandedOn(r.Context(), days)
	if err != nil {
		return nil, err
	}
	for _, key := range handed {
		done = append(done, a.svc.Names.Prefix+strings.TrimRight(a.svc.Names.Base, "/")+"/"+key)
	}
	return dsapi.Bare{Value: dropped{Msg: "success", Success: true, Done: done, Undone: []string{}}}, nil
}
