-- init.lua: the language server of batchmean for Python, with the path of your environment.
local command = { "/path/to/venv/bin/batchmean", "server" }
local client -- Neovim 0.7 finds no running client by itself, as vim.lsp.start does from 0.8 on

vim.api.nvim_create_autocmd("FileType", {
    pattern = "python",
    callback = function(args)
        local config = { name = "batchmean", cmd = command, root_dir = vim.fn.getcwd() }
        if vim.lsp.start then
            vim.lsp.start(config)
        else
            client = client or vim.lsp.start_client(config)
            vim.lsp.buf_attach_client(args.buf, client)
        end
    end,
})
