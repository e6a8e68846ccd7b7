"""Signing in by password or by a mailed link, joining, and signing out."""

from django.contrib.auth import login as log_in
from django.contrib.auth import logout as log_out
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from crm.models import Business, User
from crm.services import check_login
from loyalty.forms.signing import JoinForm, LinkForm, LoginForm
from loyalty.models import Customer
from loyalty.pages.frame import own_path, shown, turned_away
from loyalty.services import signing_in

BACKEND = "django.contrib.auth.backends.ModelBackend"
STATUSES = {"not_found": 404, "phone_taken": 409}


def home_of(user: User) -> str:
    """Where somebody goes who has just signed in."""
    if user.is_staff:
        return reverse("admin:index")
    is_member = user.memberships.exists()
    return reverse("business-scan" if is_member and not Customer.objects.filter(user=user).exists() else "cards")


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """Two forms: a password, or a link by mail. Failed passwords are counted, and a locked account is a 429."""
    next_path = own_path(request.POST.get("next") or request.GET.get("next"))
    if request.method != "POST":
        if request.user.is_authenticated:
            return redirect(next_path or home_of(request.user))
        return _login_page(request, LoginForm(), LinkForm(auto_id="link_%s"), next_path)
    if "link" in request.POST:
        return _ask_for_link(request, next_path)
    form = LoginForm(request.POST)
    if form.is_valid():
        try:
            user = check_login(request, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            log_in(request, user)
            return redirect(next_path or home_of(user))
    return _login_page(request, form, LinkForm(auto_id="link_%s"), next_path, status=400)


def _ask_for_link(request: HttpRequest, next_path: str) -> HttpResponse:
    if refused := turned_away(request):
        return refused
    form = LinkForm(request.POST, auto_id="link_%s")
    if not form.is_valid():
        return _login_page(request, LoginForm(), form, next_path, status=400)
    signing_in.request_link(form.cleaned_data["email"], next_path=next_path)
    return redirect("link-sent")


def _login_page(
    request: HttpRequest, form: LoginForm, link: LinkForm, next_path: str, *, status: int = 200
) -> HttpResponse:
    context = {"form": form, "link": link, "next_path": next_path}
    return shown(request, "loyalty/login.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest) -> HttpResponse:
    """Name, phone and address; whatever is known of them already, the answer is the same: look into your mail."""
    slug = request.GET.get("business", "")
    business = Business.objects.filter(slug=slug).first() if slug else None
    form = JoinForm(request.POST or None, region=business.default_region if business else "GB")
    if request.method == "POST":
        if refused := turned_away(request):
            return refused
        if form.is_valid():
            _ask_to_join(form, business)
            return redirect("link-sent")
    status = 400 if request.method == "POST" else 200
    return shown(request, "loyalty/join.html", {"form": form, "business": business}, status=status)


def _ask_to_join(form: JoinForm, business: Business | None) -> None:
    sent = form.cleaned_data
    first_name, last_name = sent["name"]
    signing_in.request_to_join(
        email=sent["email"],
        phone=sent["phone"],
        first_name=first_name,
        last_name=last_name,
        region=form.region,
        next_path=f"{reverse('cards')}?{urlencode({'business': business.slug})}" if business else "",
    )


@require_safe
def link_sent(request: HttpRequest) -> HttpResponse:
    """The same for everybody."""
    return shown(request, "loyalty/link_sent.html")


@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest, token: str) -> HttpResponse:
    """The mailed link. Looking at it changes nothing, because scanners of mail open links too; its button signs in."""
    try:
        if request.method != "POST":
            link = signing_in.read_link(token)
            return shown(request, "loyalty/sign_in.html", {"link": link})
        user, link = signing_in.use_link(token)
    except ValidationError as error:
        context = {"problem": error.messages[0], "link": LinkForm(auto_id="link_%s")}
        return shown(request, "loyalty/link_bad.html", context, status=STATUSES.get(error.code or "", 410))
    log_in(request, user, backend=BACKEND)
    return redirect(own_path(link.next_path) or home_of(user))


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """Back to the login."""
    log_out(request)
    return redirect("login")
