"""Questions the awards ask of whoever listens, and facts they tell. Nobody is called by name."""

from django.dispatch import Signal

# Sent with `nomination` and `nominee` as they would be after an approval, unsaved.
# Each receiver returns what would change outside: a list of nominations.models.ContactChange.
approval_previewed = Signal()

# Sent with `nomination`. Each receiver returns a list of nominations.models.Delivery, one per contact touched.
delivery_requested = Signal()

# Sent with `vote`, in its transaction: it is held, and its voter must be asked by mail.
verification_wanted = Signal()

# Sent with `emails` and `reference`, in the transaction: votes of these voters began or ceased to count, or count for
# another nominee, many at once and none of them saved singly.
votes_changed = Signal()

# Sent with `emails`, `merge` and `is_undone`, in the transaction: what these people are, whom they nominated or where
# that is found has changed with a merge of nominees, or with its undoing.
nominees_merged = Signal()

# Sent with `nomination`. Each receiver returns a list of nominations.models.Delivery, one per mail about it; the role
# is then what the mail says.
mails_requested = Signal()
