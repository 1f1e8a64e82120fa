"What the process that forks helpers imports."

import nursery

nursery.prepare()
