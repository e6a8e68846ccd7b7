"""The awards programme: seasons, categories, nominations, nominees, votes and the decisions staff take."""
