"""Given names of English-speaking countries: common knowledge, in no order that means anything."""

from __future__ import annotations

# One token each, after a space, for the tokenizer of SmolLM2, and no two of them alike but for a letter or an ending.
SHORT = (
    "James Robert Michael David Richard Joseph Thomas Charles Daniel Matthew Anthony Donald Steven Paul Andrew Joshua Kenneth "
    "Kevin Brian George Timothy Edward Jason Jeffrey Ryan Jacob Nicholas Eric Jonathan Scott Benjamin Samuel Gregory Alexander "
    "Patrick Dennis Tyler Aaron Henry Adam Douglas Nathan Peter Walter Ethan Jeremy Harold Keith Roger Noah Gerald Carl Terry Sean "
    "Arthur Austin Lawrence Jesse Joe Jordan Bruce Albert Gabriel Logan Alan Wayne Roy Ralph Eugene Vincent Russell Bobby Johnny "
    "Elijah Isaac Oscar Martin Leonard Ernest Curtis Luis Antonio Marcus Francis Theodore Clarence Alfred Howard Raymond Fernando "
    "Miguel Pedro Diego Pablo Ivan Julian Colin Malcolm Duncan Graham Simon Neil Stuart Gordon Craig Barry Geoffrey Adrian Lucas "
    "Oliver Owen Carter Ian Felix Hugo Miles Abel Amos Ezra Levi Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica "
    "Sarah Karen Nancy Lisa Margaret Betty Sandra Ashley Dorothy Emily Michelle Amanda Melissa Deborah Stephanie Rebecca Laura "
    "Sharon Kathleen Amy Angela Shirley Anna Nicole Samantha Katherine Emma Ruth Christine Rachel Virginia Heather Diane Joyce "
    "Victoria Kelly Lauren Judith Olivia Martha Hannah Alice Teresa Madison Sophia Jane Monica Claire Helen Ellen Clara Edith "
    "Eleanor Esther Eva Florence Harriet Isabel Jill Juliet Kate Louise Lucy Miriam Molly Naomi Nina Rosa Sally Vera Wendy Agnes "
    "Gertrude Lorraine Bernard Boris Cecil Chester Clayton Conrad Edgar Edmund Elliott Gilbert Harvey Herbert Herman Homer Horace "
    "Irving Julius Kirk Lloyd Luther Maurice Mitchell Morris Murray Norman Otto Percy Roland Sidney Spencer Stanley Vernon Wallace "
    "Willis Winston "
).split()
LONG = (
    "Brandon Zachary Kyle Dylan Randy Evan Hector Xavier Rafael Sergio Roberto Eduardo Javier Ricardo Nigel Trevor Derek Caleb "
    "Wyatt Dominic Theo Jasper Silas Micah Jonas Kimberly Donna Carolyn Cynthia Brenda Pamela Debra Evelyn Cheryl Megan Jacqueline "
    "Kathryn Gloria Doris Janice Theresa Denise Beverly Marilyn Brittany Natalie Alexis Kayla Lori Lillian Tiffany Bethany Elaine "
    "Audrey Bonnie Carmen Cecilia Constance Fiona Gina Irene Josephine Leah Lydia Mabel Matilda Maureen Nora Paula Peggy Phyllis "
    "Priscilla Rita Sheila Sonia Stella Sylvia Tamara Tina Tracy Ursula Valerie Vanessa Veronica Vivian Wanda Yolanda Yvonne Zoe "
    "Beatrice Bridget Camille Daphne Deirdre Delia Dolores Elvira Erica Estelle Eunice Gladys Gwendolyn Hilda Imogen Ingrid "
    "Jocelyn Lucille Maxine Mildred Muriel Olga Petra Renee Rhonda Rosalind Selma Thelma Verna Winifred Alvin Barnaby Cedric Cyril "
    "Desmond Elmer Godfrey Hubert Humphrey Lionel Marvin Melvin Quentin Reginald Rufus Rupert Sylvester Wilbur Wilfred "
).split()
