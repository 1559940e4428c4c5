" Latent Jockey from Vim and Neovim: `:source vim.vim`, or put it into your plugin folder.
"   Ctrl-E        evaluates the paragraph under the cursor, or the selection
"   Alt-E         evaluates the whole file
"   :LatentHush   ends everything;  :LatentUndo takes back the last evaluation
if !exists('g:latent_jockey')
  let g:latent_jockey = 'latent-jockey'
endif

function! s:Eval(first, last, ...) abort
  let l:command = [g:latent_jockey, 'eval', '-', '--file', expand('%:t') ==# '' ? 'live' : expand('%:t'),
        \ '--line', a:first] + a:000
  let l:answer = system(join(map(l:command, 'shellescape(v:val)')), join(getline(a:first, a:last), "\n") . "\n")
  if v:shell_error
    echohl ErrorMsg | echomsg trim(substitute(l:answer, '^latent-jockey: ', '', '')) | echohl None
  elseif l:answer !=# ''
    echo trim(l:answer)
  else
    echo printf('played lines %d to %d', a:first, a:last)
  endif
endfunction

function! s:EvalParagraph() abort
  let l:first = search('^\s*$', 'bnW') + 1
  let l:end = search('^\s*$', 'nW')
  call s:Eval(l:first, l:end ? l:end - 1 : line('$'))
endfunction

command! -range LatentEval call s:Eval(<line1>, <line2>)
command! LatentParagraph call s:EvalParagraph()
command! LatentFile call s:Eval(1, line('$'), '--whole')
command! LatentHush call system(shellescape(g:latent_jockey) . ' eval ' . shellescape('hush()'))
command! LatentUndo call system(shellescape(g:latent_jockey) . ' eval --undo')

augroup latent_jockey
  autocmd!
  autocmd BufRead,BufNewFile *.luau setfiletype lua
  autocmd FileType lua nnoremap <buffer> <silent> <C-e> :LatentParagraph<CR>
  autocmd FileType lua vnoremap <buffer> <silent> <C-e> :LatentEval<CR>
  autocmd FileType lua nnoremap <buffer> <silent> <M-e> :LatentFile<CR>
augroup END
