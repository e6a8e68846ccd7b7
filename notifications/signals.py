"""What others may listen to."""

from django.dispatch import Signal

# In the transaction of the answer, with `request` (the ApprovalRequest as it is now) and `by` (the user, or None when
# time was over). A listener that raises undoes the answer.
request_closed = Signal()

# In the transaction of the fact, with the `notification` that a mail goes with.
mail_wanted = Signal()
