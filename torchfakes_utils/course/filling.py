"""A notebook's run that fills in its prose: each Markdown cell when its turn comes, with the names there are then."""

import queue
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from torchfakes_utils.course import prose

SECONDS = 60  # for the marks of one cell: they name results, and compute nothing


class FillingClient(NotebookClient):
    """Runs a notebook, and fills its Markdown cells on the way; see `prose`.

    Attributes:
        problems: what could not be filled in, or is not true, one line each. Such a cell stays as it was.
    """

    def __init__(self, notebook: NotebookNode, **options: Any) -> None:
        super().__init__(notebook, **options)
        self.problems: list[str] = []

    async def async_execute_cell(self, cell: NotebookNode, cell_index: int, *more: Any, **options: Any) -> NotebookNode:
        """Run a code cell, or fill a Markdown cell."""
        if cell.cell_type != "markdown":
            return await super().async_execute_cell(cell, cell_index, *more, **options)
        text = prose.template(cell)
        try:
            if marks := prose.read(text):
                values, problems = prose.answers(marks, await self._evaluate(marks.questions))
                if not problems:
                    cell.source = prose.filled(text, values)
                    cell.metadata[prose.KEY] = nbformat.from_dict({prose.TEMPLATE: text})
                self.problems += [f"cell {cell_index}: {problem}" for problem in problems]
        except (ValueError, TimeoutError) as error:
            self.problems.append(f"cell {cell_index}: {error}")
        return cell

    async def _evaluate(self, questions: dict[str, str]) -> dict[str, Any]:
        """The values of expressions in the kernel's names; silently, so that no cell's number changes.

        Raises:
            TimeoutError: there was no answer.
        """
        client: Any = self.kc  # an AsyncKernelClient, while cells are run
        message = client.execute("", silent=True, store_history=False, user_expressions=questions)
        while True:
            try:
                reply = await client.get_shell_msg(timeout=SECONDS)
            except queue.Empty:
                raise TimeoutError(f"no answer after {SECONDS} s to {'; '.join(questions.values())}") from None
            if reply["parent_header"].get("msg_id") == message:
                return dict(reply["content"]["user_expressions"])
