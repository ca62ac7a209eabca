package integra

// A Method is the last segment of a request's path.
type Method string

// The methods of API v1.
const (
	Hello               Method = "hello"
	CreateUser          Method = "createUser"
	CryptLogin          Method = "cryptLogin"
	Iframe              Method = "iframe"
	ArchiveUser         Method = "archiveUser"
	UnarchiveUser       Method = "unarchiveUser"
	DoPayment           Method = "doPayment"
	ConfirmPayment      Method = "confirmPayment"
	DeclinePayment      Method = "declinePayment"
	GetFinSummaryByDate Method = "getFinSummaryByDate"
	GetUserData         Method = "getUserData"
	GetUsersData        Method = "getUsersData"
	GetUserMessages     Method = "getUserMessages"
	GetMessages         Method = "getMessages"
	GetMessageTemplates Method = "getMessageTemplates"
	ReadMessages        Method = "readMessages"
	ChangeURL           Method = "changeUrl"
	AttachCounter       Method = "attachYandexMetrikaCounter"

	// LegacyCreateUser is what the predecessor called createUser. It is not among Methods:
	// its arguments are plain query parameters, see ParseLegacyCreateUser.
	LegacyCreateUser Method = "getCryptKeyWithUserReg"
)

// Owner is whose hash or key a request carries.
type Owner int

// The owners of hashes and keys.
const (
	OwnerPartner Owner = iota + 1 // for actions on several users or none
	OwnerUser                     // for actions of one user
)

type methodInfo struct {
	method    Method
	hash, key Owner
}

var methods = []methodInfo{
	{Hello, OwnerPartner, OwnerPartner},
	{CreateUser, OwnerPartner, OwnerPartner},
	{CryptLogin, OwnerUser, OwnerUser},
	{Iframe, OwnerUser, OwnerUser},
	{ArchiveUser, OwnerUser, OwnerUser},
	{UnarchiveUser, OwnerUser, OwnerUser},
	{DoPayment, OwnerUser, OwnerUser},
	{ConfirmPayment, OwnerUser, OwnerUser},
	{DeclinePayment, OwnerUser, OwnerUser},
	{GetFinSummaryByDate, OwnerUser, OwnerUser},
	{GetUserData, OwnerUser, OwnerPartner},
	{GetUsersData, OwnerPartner, OwnerPartner},
	{GetUserMessages, OwnerUser, OwnerUser},
	{GetMessages, OwnerPartner, OwnerPartner},
	{GetMessageTemplates, OwnerPartner, OwnerPartner},
	{ReadMessages, OwnerPartner, OwnerPartner},
	{ChangeURL, OwnerUser, OwnerUser},
	{AttachCounter, OwnerUser, OwnerUser},
}

// Methods returns every method of API v1 in the order of the docs.
func Methods() []Method {
	all := make([]Method, len(methods))
	for i := range methods {
		all[i] = methods[i].method
	}
	return all
}

// HashOwner is whose hash stands in the k of the method; 0 for what is not among Methods.
func (m Method) HashOwner() Owner { return m.owners().hash }

// KeyOwner is whose crypt key encrypts the method's arguments; 0 for what is not among
// Methods. It is the owner of the hash, except for getUserData: the docs' sample has the
// user's hash there and the partner's key, so a platform does well to try both.
func (m Method) KeyOwner() Owner { return m.owners().key }

func (m Method) owners() methodInfo {
	for _, info := range methods {
		if info.method == m {
			return info
		}
	}
	return methodInfo{}
}

// HTML reports whether a success is answered with a page instead of an envelope.
func (m Method) HTML() bool { return m == CryptLogin || m == Iframe }
