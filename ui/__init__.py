"""What the pages share: session state, the loaded model, and the parts that a page is put together from."""
