"""What triggers of tasks keep between two looks, and what workers say of themselves."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    pass
