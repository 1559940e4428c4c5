# Latent Jockey from Sonic Pi 3 or 4: paste this into a buffer and run it.
use_osc "127.0.0.1", 9000

osc "/walk/kind", "drift"

live_loop :pictures do
  osc "/seed/next"
  sleep 4
end

live_loop :wild do
  osc "/psi", 0.5 + 0.1 * tick % 0.5
  sleep 0.25
end
