"""A hook of mkdocs: what the documents link to outside this folder comes along into the site."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

LINKED = re.compile(r"(?:\]\(|(?:src|srcset)=\")\.\./([^)\"#]+)")


def on_files(files: Files, config: MkDocsConfig) -> None:
    root = Path(config.config_file_path).parent
    for page in files.documentation_pages():
        for target in LINKED.findall(page.content_string):
            if files.get_file_from_path(target) is None:
                files.append(File.generated(config, target, abs_src_path=str(root / target)))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The site begins in this folder: links out of it lose their first step, links into it as well."""
    return re.sub(r"\]\((?:\.\./(?=\w)|docs/)", "](", markdown)
