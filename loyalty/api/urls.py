"""Addresses of the points' API."""

from django.urls import path

from loyalty.api import views

urlpatterns = [
    path("auth/link", views.LinkView.as_view(), name="api-link"),
    path("loyalty/phone-lookup", views.PhoneLookupView.as_view(), name="api-phone-lookup"),
    path("customer/loyalty/redeem", views.RedeemView.as_view(), name="api-redeem"),
    path("loyalty/earn", views.EarnView.as_view(), name="api-earn"),
    path("loyalty/adjust", views.AdjustView.as_view(), name="api-adjust"),
    path("loyalty/transactions/<uuid:id>/reverse", views.ReverseView.as_view(), name="api-reverse"),
    path("loyalty/holds", views.HoldsView.as_view(), name="api-holds"),
    path("loyalty/holds/<uuid:id>/capture", views.CaptureView.as_view(), name="api-capture"),
    path("loyalty/holds/<uuid:id>/release", views.ReleaseView.as_view(), name="api-release"),
    path("loyalty/cards", views.CardsView.as_view(), name="api-cards"),
    path("loyalty/cards/<str:id>", views.CardView.as_view(), name="api-card"),
    path("loyalty/cards/<str:id>/statement", views.StatementView.as_view(), name="api-statement"),
    path("loyalty/cards/<str:id>/statement.csv", views.StatementCSVView.as_view(), name="api-statement-csv"),
    path("loyalty/programs", views.ProgramsView.as_view(), name="api-programs"),
    path("loyalty/programs/<uuid:id>", views.ProgramView.as_view(), name="api-program"),
    path("admin/customers", views.CustomersView.as_view(), name="api-customers"),
    path("enrollments", views.EnrollmentsView.as_view(), name="api-enrollments"),
    path("qr/me", views.OwnCodeView.as_view(), name="api-qr-me"),
    path("qr/revoke", views.RevokeCodesView.as_view(), name="api-qr-revoke"),
    path("qr/scan", views.ScanView.as_view(), name="api-qr-scan"),
]
