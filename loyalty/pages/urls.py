"""Addresses of the customers' and the businesses' pages."""

from django.urls import path, re_path

from loyalty import pages

urlpatterns = [
    path("business/customers", pages.customers, name="business-customers"),
    path("business/scan", pages.scan, name="business-scan"),
    path("login", pages.login, name="login"),
    path("logout", pages.logout, name="logout"),
    path("join", pages.join, name="join"),
    path("sign-in/sent", pages.link_sent, name="link-sent"),
    path("sign-in/<str:token>", pages.sign_in, name="sign-in"),
    path("cards", pages.cards, name="cards"),
    path("cards/join", pages.join_program, name="cards-join"),
    path("cards/<str:card_number>", pages.card, name="card"),
    path("qr", pages.qr, name="qr"),
    path("qr/printed", pages.printed, name="qr-printed"),
    re_path(r"^qr/replace/(?P<kind>rotating|printed)$", pages.replace, name="qr-replace"),
    path("notifications", pages.notifications, name="notifications"),
    path("notifications/bell", pages.bell, name="notifications-bell"),
    path("notifications/read", pages.read, name="notifications-read"),
    path("notifications/preferences", pages.preferences, name="notification-preferences"),
    path("notifications/<uuid:id>/answer", pages.answer, name="notification-answer"),
]
