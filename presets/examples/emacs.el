;;; emacs.el --- Latent Jockey from Emacs  -*- lexical-binding: t -*-
;; Load it (M-x load-file), then M-x latent-jockey-mode in a buffer with a patch:
;;   C-c C-c  evaluates the paragraph, or the region      C-c C-l  evaluates the whole buffer
;;   C-c C-.  ends everything                             C-c C-/  takes back the last evaluation

(require 'subr-x)

(defvar latent-jockey-program "latent-jockey" "The program, or its path.")

(defun latent-jockey--eval (first last &rest options)
  "Evaluate the text from FIRST to LAST with OPTIONS, and show what came of it."
  (let ((name (file-name-nondirectory (or (buffer-file-name) "live")))
        (line (number-to-string (line-number-at-pos first)))
        (answer (generate-new-buffer " *latent-jockey*")))
    (unwind-protect
        (let ((status (apply #'call-process-region first last latent-jockey-program nil answer nil
                             "eval" "-" "--file" name "--line" line options)))
          (message "%s" (with-current-buffer answer
                          (let ((text (string-trim (buffer-string))))
                            (cond ((not (equal status 0)) (string-remove-prefix "latent-jockey: " text))
                                  ((string-empty-p text) "played")
                                  (t text))))))
      (kill-buffer answer))))

(defun latent-jockey-eval-dwim ()
  "Evaluate the region, or the paragraph around point."
  (interactive)
  (if (use-region-p)
      (latent-jockey--eval (region-beginning) (region-end))
    (let ((end (save-excursion (forward-paragraph) (point)))
          (start (save-excursion (backward-paragraph) (skip-chars-forward "\n") (point))))
      (latent-jockey--eval start end))))

(defun latent-jockey-eval-buffer ()
  "Evaluate the whole buffer as a file."
  (interactive)
  (latent-jockey--eval (point-min) (point-max) "--whole"))

(defun latent-jockey-hush ()
  "End everything that live code plays."
  (interactive)
  (call-process latent-jockey-program nil 0 nil "eval" "hush()"))

(defun latent-jockey-undo ()
  "Take back the last evaluation."
  (interactive)
  (call-process latent-jockey-program nil 0 nil "eval" "--undo"))

(defvar latent-jockey-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "C-c C-c") #'latent-jockey-eval-dwim)
    (define-key map (kbd "C-c C-l") #'latent-jockey-eval-buffer)
    (define-key map (kbd "C-c C-.") #'latent-jockey-hush)
    (define-key map (kbd "C-c C-/") #'latent-jockey-undo)
    map))

(define-minor-mode latent-jockey-mode
  "Evaluates patches in a running Latent Jockey."
  :lighter " LJ" :keymap latent-jockey-mode-map)

(provide 'latent-jockey)
;;; emacs.el ends here
