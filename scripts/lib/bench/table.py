"""The table that the bench prints."""


class Table:
    """Rows of a Markdown table."""

    def __init__(self, machine):
        self.rows = [
            (machine, "here", "others, same run", "goal", "met"),
            ("---",) * 5,
        ]

    def add(self, what, value, others="", goal="", met=None):
        """A row. `met` is True or False where there is a goal and a value."""
        verdict = {True: "yes", False: "**no**", None: ""}[met]
        self.rows.append((what, value, others, goal, verdict))

    def __str__(self):
        return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in self.rows)
