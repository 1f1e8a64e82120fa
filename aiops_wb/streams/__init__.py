"""Events of other systems on their way into the spool, and what happens here on its way out."""
