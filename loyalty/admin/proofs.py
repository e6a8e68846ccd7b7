"""The proof of the ledger: a button, how far it is, and what came of it."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from loyalty import services, tasks
from loyalty.admin.facts import link
from loyalty.models import LedgerProof
from loyalty.services.proof import GIVEN_UP_AFTER
from notifications.admin import ReadOnlyAdmin, badge, when

PROVE = "loyalty.prove_ledger"
FOLDER = "admin/loyalty/ledgerproof"
State = LedgerProof.State
COLOURS = {State.WAITING: "pending", State.RUNNING: "processing", State.PROVEN: "ok", State.BROKEN: "dead"}
NIGHTLY = timedelta(days=1)


@admin.register(LedgerProof)
class ProofAdmin(ReadOnlyAdmin):
    """Over the cards of all businesses, and so for staff only."""

    list_display = ("moment", "state_badge", "progress", "result", "took", "by")
    list_filter = ("state", "created_at")
    list_select_related = ("by", "card")
    search_fields = ("card__card_number", "problem")
    search_help_text = "Card numbers and what differed."
    empty_text = "The ledger is proven every night. Prove it now with the button above."
    change_list_template = f"{FOLDER}/change_list.html"
    fields = ("moment", "state_badge", "progress", "result", "took", "by")
    readonly_fields = fields

    class Media:
        css = {"all": ("loyalty/points.css",)}

    def get_urls(self) -> list[URLPattern]:
        """Django's, the button's, and what it asks while a proof runs."""
        names = {"prove": self.prove, "latest": self.latest}
        own = [
            path(f"{name}/", self.admin_site.admin_view(view), name=f"loyalty_ledgerproof_{name}")
            for name, view in names.items()
        ]
        return [*own, *super().get_urls()]

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whoever may prove it may see what came of it."""
        is_staff = bool(getattr(request.user, "is_staff", False))
        return is_staff and (request.user.has_perm(PROVE) or super().has_view_permission(request, obj))

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Staff with one of the permissions."""
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerProof]:
        """With the card that differs."""
        return super().get_queryset(request).select_related("by", "card")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With the latest proof above the list."""
        may_prove = self.may_prove(request)
        return super().changelist_view(request, {**latest_proof(), "may_prove": may_prove, **(extra_context or {})})

    def may_prove(self, request: HttpRequest) -> bool:
        """Staff with the permission."""
        return bool(getattr(request.user, "is_staff", False)) and request.user.has_perm(PROVE)

    def prove(self, request: HttpRequest) -> HttpResponse:
        """Ask for a proof; one that is under way is not begun again. Raises PermissionDenied."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.may_prove(request):
            raise PermissionDenied
        asked_at = timezone.now()
        with transaction.atomic():
            proof = services.start_proof(by=request.user)  # type: ignore[arg-type]
            is_new = proof.created_at >= asked_at
            if is_new:
                transaction.on_commit(lambda: tasks.queue_proof(proof.pk), robust=True)
        if not is_new:
            messages.info(request, "A proof is under way already.")
        return HttpResponseRedirect(reverse("admin:loyalty_ledgerproof_changelist"))

    def latest(self, request: HttpRequest) -> HttpResponse:
        """The fragment that asks again by itself until the proof has ended. Raises PermissionDenied."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = latest_proof()
        response = TemplateResponse(request, f"{FOLDER}/_latest.html", context)
        if not context["is_under_way"]:
            # The list below it tells the result too.
            response["HX-Refresh"] = "true"
        return response

    @admin.display(description="Begun", ordering="created_at")
    def moment(self, proof: LedgerProof) -> SafeString | str:
        """When it was asked for."""
        return when(proof.created_at)

    @admin.display(description="State", ordering="state")
    def state_badge(self, proof: LedgerProof) -> SafeString:
        """In its colour."""
        return (
            badge("failed", "Given up")
            if is_given_up(proof)
            else badge(COLOURS[State(proof.state)], proof.get_state_display())
        )

    @admin.display(description="Cards checked")
    def progress(self, proof: LedgerProof) -> str:
        """Of how many."""
        return progress_of(proof)

    @admin.display(description="Result")
    def result(self, proof: LedgerProof) -> SafeString | str:
        """In words."""
        return result_of(proof)

    @admin.display(description="Took")
    def took(self, proof: LedgerProof) -> str:
        """How long."""
        return f"{(proof.finished_at - proof.created_at).total_seconds():,.0f} s" if proof.finished_at else "–"


def latest_proof() -> dict[str, Any]:
    """The last proof, and whether it is worth asking again."""
    proof = LedgerProof.objects.select_related("by", "card").first()
    if proof is None:
        return {"proof": None, "is_under_way": False}
    is_under_way = proof.finished_at is None and not is_given_up(proof)
    share = round(100 * proof.cards_checked / proof.cards_total) if proof.cards_total else 0
    return {
        "proof": proof,
        "result": result_of(proof),
        "is_under_way": is_under_way,
        "is_given_up": is_given_up(proof),
        "progress": progress_of(proof),
        "share": min(share, 100),
        "is_old": proof.created_at < timezone.now() - 2 * NIGHTLY,
    }


def is_given_up(proof: LedgerProof) -> bool:
    """Whether its worker has said nothing for so long that another may begin."""
    return proof.finished_at is None and proof.heard_at < timezone.now() - GIVEN_UP_AFTER


def progress_of(proof: LedgerProof) -> str:
    """`100 of 12,034`."""
    return f"{proof.cards_checked:,} of {proof.cards_total:,}"


def result_of(proof: LedgerProof) -> SafeString | str:
    """What came of it, in words."""
    if proof.state == State.PROVEN:
        cards = f"{proof.cards_checked:,} card{' agrees' if proof.cards_checked == 1 else 's agree'}"
        return f"{cards} with the ledger."
    if proof.state == State.BROKEN:
        if proof.card is None:
            return proof.problem
        return format_html("Card {} differs. {}", link(proof.card), proof.problem)
    if is_given_up(proof):
        return "It was given up: its worker said nothing for five minutes. Prove it again."
    return "It is under way." if proof.state == State.RUNNING else "It waits for a worker."
