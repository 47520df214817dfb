"""How a frame arrives: watching (hints), sweeping (the truth), settling (when it is complete), reading."""
