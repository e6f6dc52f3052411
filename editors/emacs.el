;; init.el: the language server of batchmean for Python by eglot, with the path of your environment.
;; M-x eglot in a buffer starts it.
(require 'eglot)
(add-to-list 'eglot-server-programs '(python-mode . ("/path/to/venv/bin/batchmean" "server")))
(add-to-list 'eglot-server-programs '(python-ts-mode . ("/path/to/venv/bin/batchmean" "server")))
