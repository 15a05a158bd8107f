# xfrm/: see HACKING.md for how a folder's fragment is written.
