-- Latent Jockey from TidalCycles 1.7 to 1.9: ghci -ghci-script presets/examples/tidal.hs
-- In an editor, add these lines to the end of your BootTidal.hs, with (superdirtTarget, ..) next to (jockey, ..).
:set -XOverloadedStrings
import Sound.Tidal.Context

jockey = Target {oName = "jockey", oAddress = "127.0.0.1", oPort = 9000, oBusPort = Nothing, oLatency = 0.1, oWindow = Nothing, oSchedule = Live, oHandshake = False}
required names = ArgList [(name, Nothing) | name <- names]
addresses = [OSC "/psi" (required ["psi"]), OSC "/seed" (required ["seed"]), OSC "/style/blend" (required ["blend"]), OSC "/walk/{part}" (required ["walk"]), OSC "/z/{dim}" (required ["z"])]
tidal <- startStream defaultConfig [(jockey, addresses)]

v1 = streamReplace tidal 1
v2 = streamReplace tidal 2
hush = streamHush tidal
psi = pF "psi"
seed = pF "seed"
blend = pF "blend"
walk part value = pF "walk" value # pS "part" part
z dim value = pF "z" value # pI "dim" dim

-- v1 $ psi "0.4 0.7 1 0.7"                  four values per cycle
-- v1 $ segment 16 $ psi (range 0.4 1 sine)  a slow wave
-- v2 $ seed "<67 8 3 85>"                   a different picture each cycle
-- v2 $ walk "speed" "0.2 1.5"
-- hush
